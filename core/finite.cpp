#include "core/finite.hpp"

#include "core/multiversion.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace triage {

namespace {

/// The largest magnitude as bits: those of infinity and NaN are above all others. Integers, so that the loop
/// vectorises.
TRIAGE_MULTIVERSION std::uint32_t largest_magnitude(const float* values, std::size_t size) {
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < size; ++i)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(values[i]) & 0x7FFFFFFFU);
  return largest;
}

} // namespace

bool all_finite(std::span<const float> values) {
  return largest_magnitude(values.data(), values.size()) < 0x7F800000U;
}

} // namespace triage
