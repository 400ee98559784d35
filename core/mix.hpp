#pragma once

#include "core/multiversion.hpp"

#include <cstdint>

namespace triage {

/// A well-mixed function of 32 bits (Wellons, "lowbias32"): an independent number for each argument without a
/// state to carry, so that loops over it vectorise, and the same number can be had again.
TRIAGE_INLINE std::uint32_t mix(std::uint32_t x) {
  x ^= x >> 16U;
  x *= 0x7feb352dU;
  x ^= x >> 15U;
  x *= 0x846ca68bU;
  return x ^ (x >> 16U);
}

} // namespace triage
