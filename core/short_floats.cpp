#include "core/short_floats.hpp"

#include "core/multiversion.hpp"
#include "core/prefetch.hpp"

#include <bit>

namespace triage {

namespace {

// Inlined into the loops, which are compiled for each kind of processor.
TRIAGE_INLINE std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = bits + 0x7FFFU + ((bits >> 16U) & 1U);
  const std::uint32_t quiet = bits | 0x400000U; // rounding must not turn a NaN into infinity
  return static_cast<std::uint16_t>(((bits & 0x7FFFFFFFU) > 0x7F800000U ? quiet : rounded) >> 16U);
}

TRIAGE_INLINE float from_bfloat16(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16U);
}

/// Without branches, so that the loop vectorises: the three ranges are computed and one is chosen.
TRIAGE_INLINE std::uint16_t to_float16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  // Normal: rebias the exponent by 112 and round away 13 bits.
  const std::uint32_t normal = (magnitude - 0x38000000U + 0xFFFU + ((magnitude >> 13U) & 1U)) >> 13U;
  // Denormal: adding 0.5 lines the bits up at 2^-24 and rounds them.
  const auto lined_up = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F);
  const std::uint32_t denormal = lined_up - 0x3F000000U;
  const std::uint32_t special = magnitude > 0x7F800000U ? 0x7E00U : 0x7C00U;
  std::uint32_t out = magnitude < 0x38800000U ? denormal : normal;
  out = magnitude >= 0x477FF000U ? special : out;
  return static_cast<std::uint16_t>(sign | out);
}

TRIAGE_INLINE float from_float16(std::uint16_t value) {
  const std::uint32_t sign = (static_cast<std::uint32_t>(value) & 0x8000U) << 16U;
  const std::uint32_t magnitude = value & 0x7FFFU;
  const std::uint32_t normal = (magnitude << 13U) + 0x38000000U;
  const auto denormal = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24F);
  const std::uint32_t special = (magnitude << 13U) | 0x7F800000U;
  std::uint32_t out = magnitude < 0x400U ? denormal : normal;
  out = magnitude >= 0x7C00U ? special : out;
  return std::bit_cast<float>(sign | out);
}

TRIAGE_MULTIVERSION void all_to_bfloat16(const float* from, std::uint16_t* to, std::size_t n) {
  each_fetched(
      n, [&](std::size_t i) { to[i] = to_bfloat16(from[i]); }, from);
}
TRIAGE_MULTIVERSION void all_to_float16(const float* from, std::uint16_t* to, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    to[i] = to_float16(from[i]);
}
TRIAGE_MULTIVERSION void all_from_bfloat16(const std::uint16_t* from, float* to, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    to[i] = from_bfloat16(from[i]);
}
TRIAGE_MULTIVERSION void all_from_float16(const std::uint16_t* from, float* to, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    to[i] = from_float16(from[i]);
}

} // namespace

float_format float_format_of(std::string_view name) {
  return name == "bfloat16"  ? float_format::bfloat16
         : name == "float16" ? float_format::float16
                             : float_format::float32;
}

void to_short(float_format format, std::span<const float> from, std::span<std::uint16_t> to) {
  (format == float_format::bfloat16 ? all_to_bfloat16 : all_to_float16)(from.data(), to.data(), from.size());
}

void from_short(float_format format, std::span<const std::uint16_t> from, std::span<float> to) {
  (format == float_format::bfloat16 ? all_from_bfloat16 : all_from_float16)(from.data(), to.data(),
                                                                            from.size());
}

} // namespace triage
