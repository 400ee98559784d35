#pragma once

#include "core/exchanges/synchronous_rounds.hpp"

namespace triage {

/// Local SGD (Stich, "Local SGD Converges Fast and Communicates Little", ICLR 2019): each worker takes
/// `local_steps` steps with the run's optimizer from the shared parameters and sends how far they have moved;
/// the mean of that is one merge, with block momentum (Chen and Huo, ICASSP 2016) where it is asked for.
class local_sgd : public synchronous_rounds {
public:
  void visit(option_visitor& v) override;
  [[nodiscard]] std::optional<local_round> local() const override;

protected:
  explicit local_sgd(std::int64_t local_steps) : local_steps_(local_steps) {}
  friend std::unique_ptr<exchange_policy> make_local_sgd();

  std::int64_t local_steps_;
  double block_momentum_ = 0.0;
  std::string local_momentum_ = "keep";
};

} // namespace triage
