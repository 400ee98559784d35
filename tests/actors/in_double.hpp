#pragma once

#include "core/blob.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

// Blocks of floats against reference recursions in double.

namespace triage::test {

inline std::vector<double> in_double(const blob& b) {
  return {b.view().begin(), b.view().end()};
}

inline double largest_gap(const std::vector<double>& a, const blob& b) {
  double worst = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(a[i] - static_cast<double>(b.data()[i])));
  return worst;
}

} // namespace triage::test
