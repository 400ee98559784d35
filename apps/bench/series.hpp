#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace triage {

/// Repeated measurements of one figure.
struct series {
  std::vector<double> values;

  /// Interpolated between the two nearest; 0 when empty.
  [[nodiscard]] double quantile(double share) const;
  [[nodiscard]] double median() const { return quantile(0.5); }
};

/// Element by element; both have the same length.
[[nodiscard]] series ratio(const series& numerator, const series& denominator);

/// One of several things that are compared: `measure` runs it once and returns the figure.
struct contender {
  std::string name;
  std::function<double()> measure;
};

/// Runs the contenders in turns, A B A B …, so that what else the machine does hits all of them alike. A
/// first round is thrown away. Returns one series each.
[[nodiscard]] std::vector<series> alternate(std::span<const contender> contenders, int rounds);

/// Repeats `work` for about `seconds` and returns how often it ran per second.
[[nodiscard]] double calls_per_second(double seconds, const std::function<void()>& work);

} // namespace triage
