#pragma once

#include <vector>

namespace triage {

/// Where values stand on the axis of a chart.
struct axis {
  double low = 0.0;
  double high = 1.0;
  bool logarithmic = false;
  std::vector<double> ticks;
  /// 0 at `low`, 1 at `high`; beyond them outside of that.
  [[nodiscard]] double place(double value) const;
};

/// An axis from `low` to `high` (widened a little where they are equal) with about five round ticks. A
/// logarithmic one needs positive bounds and becomes linear without them.
[[nodiscard]] axis make_axis(double low, double high, bool logarithmic);

} // namespace triage
