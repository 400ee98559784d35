#pragma once

#include <cmath>
#include <cstddef>

namespace triage::test {

/// Mean and standard error of a stream of numbers.
class running_mean {
public:
  void add(double v) {
    ++n_;
    const double step = v - mean_;
    mean_ += step / static_cast<double>(n_);
    squares_ += step * (v - mean_);
  }
  [[nodiscard]] double mean() const { return mean_; }
  [[nodiscard]] double standard_error() const {
    const auto n = static_cast<double>(n_);
    return std::sqrt(squares_ / (n - 1.0) / n);
  }
  /// By how many standard errors the mean misses `expected`.
  [[nodiscard]] double misses(double expected) const {
    const double apart = std::abs(mean_ - expected);
    return apart == 0.0 ? 0.0 : apart / standard_error();
  }

private:
  std::size_t n_ = 0;
  double mean_ = 0.0;
  double squares_ = 0.0;
};

/// What a chi-square statistic exceeds with probability 0.01 (Wilson & Hilferty 1931).
inline double chi_square_limit(std::size_t degrees) {
  constexpr double quantile = 2.326;
  const double part = 2.0 / (9.0 * static_cast<double>(degrees));
  return static_cast<double>(degrees) * std::pow(1.0 - part + quantile * std::sqrt(part), 3.0);
}

} // namespace triage::test
