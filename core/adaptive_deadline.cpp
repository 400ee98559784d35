#include "core/adaptive_deadline.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace triage {

namespace {

double middle(std::span<double> values) {
  const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), half, values.end());
  return *half;
}

} // namespace

void adaptive_deadline::add(double seconds) {
  last_[count_++ % window] = seconds;
  auto scratch = last_;
  const std::span<double> known(scratch.data(), std::min(count_, window));
  median_ = middle(known);
  for (double& v : known)
    v = std::abs(v - median_);
  const double spread = middle(known);
  deadline_ = std::clamp(std::max(bounds_.medians * median_, median_ + bounds_.deviations * spread),
                         bounds_.shortest, std::max(bounds_.shortest, bounds_.longest));
}

void adaptive_deadline::extend() {
  if (!measured())
    deadline_ = std::min(2.0 * deadline_, std::max(bounds_.shortest, bounds_.longest));
}

} // namespace triage
