#pragma once

#include "core/exchanges/synchronous_rounds.hpp"

namespace triage {

/// Local SGD (Stich, "Local SGD Converges Fast and Communicates Little", ICLR 2019): each worker takes
/// `local_steps` steps with the run's optimizer from the shared parameters and sends how far they have moved;
/// the mean of that is one merge, with block momentum (Chen and Huo, ICASSP 2016) where it is asked for.
/// Compressed both ways with error compensation it is what Gao, Xu and Huang analyse ("On the Convergence of
/// Communication-Efficient Local SGD for Federated Learning", AAAI 2021), as far as their abstract and
/// DoubleSqueeze (Tang et al., ICML 2019) tell.
class local_sgd : public synchronous_rounds {
public:
  void visit(option_visitor& v) override;
  [[nodiscard]] std::optional<local_round> local() const override;
  [[nodiscard]] result<void> prepare(const json_place& place) override;
  [[nodiscard]] const compressor* compression_up() const override { return up_.get(); }
  [[nodiscard]] const compressor* compression_down() const override { return down_.get(); }

protected:
  explicit local_sgd(std::int64_t local_steps) : local_steps_(local_steps) {}
  friend std::unique_ptr<exchange_policy> make_local_sgd();

  std::int64_t local_steps_;
  double block_momentum_ = 0.0;
  std::string local_momentum_ = "keep";

private:
  json_value up_description_ = json_value("none");
  json_value down_description_ = json_value("none");
  std::unique_ptr<compressor> up_; ///< null: none
  std::unique_ptr<compressor> down_;
};

} // namespace triage
