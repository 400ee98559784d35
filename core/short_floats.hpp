#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace triage {

/// How floats are written on the wire.
enum class float_format : std::uint8_t {
  float32 = 0,
  bfloat16 = 1, ///< range of a float, 8 bits of precision
  float16 = 2,  ///< 11 bits of precision; beyond 65504 becomes infinity, below 6e-8 becomes 0
};

[[nodiscard]] float_format float_format_of(std::string_view name);
[[nodiscard]] inline std::size_t bytes_of(float_format f) {
  return f == float_format::float32 ? 4 : 2;
}

/// Rounds to the nearest, ties to even; infinities and NaNs stay what they are. `format` is a short one;
/// both sides have the same length.
void to_short(float_format format, std::span<const float> from, std::span<std::uint16_t> to);
void from_short(float_format format, std::span<const std::uint16_t> from, std::span<float> to);

} // namespace triage
