#include "core/single_rounding.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace triage {

void single_rounding::add(double value) {
  smallest = std::min(smallest, value);
  largest = std::max(largest, value);
  error = std::max(error, std::abs(value - static_cast<double>(static_cast<float>(value))));
}

bool single_rounding::loses_steps() const {
  constexpr double largest_share = 1.0 / 256;
  constexpr double noise = 1e-9; // relative: what arithmetic left of a constant
  const double range = largest - smallest;
  return range > noise * std::max(std::abs(smallest), std::abs(largest)) && error > largest_share * range;
}

std::string single_rounding::problem() const {
  return fmt::format("its values lie between {} and {}, which floats hold to {:.2g} only", smallest, largest,
                     error);
}

} // namespace triage
