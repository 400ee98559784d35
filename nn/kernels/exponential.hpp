#pragma once

#include "core/multiversion.hpp"

#include <bit>
#include <cstdint>

namespace triage {

/// e^x for x <= 0, within 2 units in the last place, without a branch, so that loops over it vectorise. Below
/// -87 (where e^x leaves the normal floats) the result is a positive number under 2e-38. NaN stays NaN.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by the polynomial of Cephes' expf (Moshier); 2^n through the
/// exponent bits. Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the float.
TRIAGE_INLINE float exponential_of_negative(float x) {
  constexpr float to_integer = 12582912.0F;
  const float clamped = x < -87.0F ? -87.0F : x;
  const float shifted = clamped * 1.44269504088896341F + to_integer;
  const float n = shifted - to_integer;
  const float r =
      (clamped - n * 0.693359375F) + n * 2.12194440e-4F; // ln 2 in two parts: n times the first is exact
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = (p * r) * r + r + 1.0F;
  const auto exponent = (std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U;
  return p * std::bit_cast<float>(exponent);
}

} // namespace triage
