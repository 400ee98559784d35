#pragma once

#include "core/options.hpp"
#include "core/saved_state.hpp"

#include <cstdint>
#include <optional>

namespace triage {

/// AdaComm's rule for how many local steps a round has (Wang and Joshi, "Adaptive Communication Strategies to
/// Achieve the Best Error-Runtime Trade-off in Local-Update SGD", MLSys 2019): many while the loss is high
/// and steps in any good direction help, ever fewer as it falls. Training time is cut into intervals; at the
/// start of each
///
///   tau = ceil(tau_0 sqrt(F / F_0))      and, where that is not less than before, max(1, floor(tau gamma))
///
/// so the period never rises. With `follows_rate` the root also has the factor eta_0 / eta: lower learning
/// rates bear longer periods. F is a running mean of the losses of the rounds, weighted as they are trained.
struct communication_period_options {
  double interval_seconds = 60.0;
  double shrink = 0.5; ///< gamma
  bool follows_rate = false;

  void visit(option_visitor& v);
};

/// The rule alone. Ratios: now over at the start. Never below 1, never above `previous`.
[[nodiscard]] std::int64_t next_period(std::int64_t first, std::int64_t previous, double loss_ratio,
                                       double rate_ratio, double shrink);

/// The rule with what it remembers. One owner; time is passed in.
class communication_period {
public:
  communication_period(std::int64_t first, communication_period_options options)
      : options_(options), first_(first), steps_(first) {}

  /// A round was merged: the mean loss of its samples, the learning rate it began with, and the training time
  /// when it ended. True when the period has changed.
  bool merged(double loss, double rate, double seconds);
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  /// F / F_0 as known.
  [[nodiscard]] double loss_ratio() const { return first_loss_ > 0.0 ? loss_ / first_loss_ : 1.0; }

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  communication_period_options options_;
  std::int64_t first_;
  std::int64_t steps_;
  bool begun_ = false;
  double loss_ = 0.0;
  double first_loss_ = 0.0;
  double first_rate_ = 0.0;
  double interval_began_ = 0.0;
};

} // namespace triage
