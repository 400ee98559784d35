#pragma once

#include <optional>

namespace triage {

/// How long this process itself stood still (stopped, or starved of processor time), told from a call that is
/// made at regular intervals: what others did not do meanwhile is not their fault. One thread.
class stall_meter {
public:
  /// `interval`: seconds between two calls when nothing is wrong. `tolerance`: what is late without being a
  /// stall.
  stall_meter(double interval, double tolerance) : interval_(interval), tolerance_(tolerance) {}

  /// Seconds by which this call comes later than the last one let expect; 0 within the tolerance.
  [[nodiscard]] double seconds(double now) {
    const double late = last_ ? now - *last_ - interval_ : 0.0;
    last_ = now;
    return late > tolerance_ ? late : 0.0;
  }

private:
  double interval_;
  double tolerance_;
  std::optional<double> last_;
};

} // namespace triage
