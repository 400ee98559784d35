#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

namespace triage {

/// Whether every element is finite: the largest magnitude, compared as bits, is below that of infinity.
/// Integer maximum, so that the loop vectorises.
[[nodiscard]] inline bool all_finite(std::span<const float> values) {
  std::uint32_t largest = 0;
  for (const float v : values)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(v) & 0x7FFFFFFFU);
  return largest < 0x7F800000U;
}

} // namespace triage
