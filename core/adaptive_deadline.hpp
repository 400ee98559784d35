#pragma once

#include <array>
#include <cstddef>

namespace triage {

/// How long to wait for something that happens again and again (heartbeats, batches) before it counts as
/// late: the median of the last durations plus several times their spread, within bounds. One thread.
class adaptive_deadline {
public:
  struct bounds {
    double shortest = 0.0; ///< seconds; also the answer while nothing was measured, times `unmeasured`
    double longest = 0.0;
    double medians = 1.0;    ///< the deadline is at least so many medians
    double deviations = 8.0; ///< and the median plus so many median absolute deviations
    double unmeasured = 1.0; ///< factor on `shortest` before the first measurement
  };
  explicit adaptive_deadline(bounds b) : bounds_(b) {}

  void add(double seconds);
  /// What was waited for did not come. While nothing was ever measured the deadline doubles, up to the
  /// longest; later it goes by what is measured.
  void extend();
  [[nodiscard]] double seconds() const { return deadline_; }
  [[nodiscard]] double median() const { return median_; }
  [[nodiscard]] bool measured() const { return count_ > 0; }

private:
  static constexpr std::size_t window = 64;
  bounds bounds_;
  std::array<double, window> last_{};
  std::size_t count_ = 0;
  double median_ = 0.0;
  double deadline_ = bounds_.shortest * bounds_.unmeasured;
};

} // namespace triage
