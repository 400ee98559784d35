#pragma once

#include <limits>
#include <string>

namespace triage {

/// What single precision leaves of a column of numbers. Of a time in seconds since 1970 and the like it would
/// hold steps of minutes only.
struct single_rounding {
  double smallest = std::numeric_limits<double>::infinity();
  double largest = -std::numeric_limits<double>::infinity();
  double error = 0.0; ///< the largest

  void add(double value);
  [[nodiscard]] bool loses_steps() const;
  /// The middle of a sentence.
  [[nodiscard]] std::string problem() const;
};

} // namespace triage
