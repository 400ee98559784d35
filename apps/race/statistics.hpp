#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace triage {

/// What a cost counts as that was never paid off: the figure was not reached.
constexpr double not_reached = std::numeric_limits<double>::infinity();

/// The middle value, or the mean of the two middle ones; infinities take part in the order. NaN when empty.
[[nodiscard]] double median(std::vector<double> values);

struct interval {
  double low = 0.0;
  double high = 0.0;
  [[nodiscard]] bool contains(double v) const { return low <= v && v <= high; }
};

/// median(baseline) / median(arm): how many times sooner the arm is. 0 when only the baseline gets there,
/// infinity when only the arm does, nothing when neither does.
[[nodiscard]] std::optional<double> median_ratio(const std::vector<double>& baseline,
                                                 const std::vector<double>& arm);

/// The 95 % percentile interval of median_ratio when the seeds of both are drawn anew, with replacement,
/// `resamples` times. Draws in which neither median is finite say nothing: they count as 0 for the lower
/// bound and as infinity for the upper one. Nothing with fewer than two seeds on either side. The same
/// numbers give the same interval.
[[nodiscard]] std::optional<interval> bootstrap_ratio(const std::vector<double>& baseline,
                                                      const std::vector<double>& arm, std::uint64_t seed,
                                                      int resamples = 10000);

/// The 95 % interval of the mean of these values, by Student's t; nothing with fewer than two.
[[nodiscard]] std::optional<interval> mean_interval(const std::vector<double>& values);

} // namespace triage
