#include "nn/quantised/quantise.hpp"

#include "core/multiversion.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace triage {

namespace {

constexpr float largest_weight = 127.0F;

/// Magnitudes of floats are ordered as their bits are, and the largest of integers vectorises as it stands.
/// Not finite when a value is not: those have the largest bits.
TRIAGE_MULTIVERSION float largest_magnitude(const float* row, std::size_t n) {
  constexpr std::uint32_t magnitude = 0x7fffffffU;
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < n; ++i)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(row[i]) & magnitude);
  return std::bit_cast<float>(largest);
}

/// Rounds to nearest by adding and taking away 1.5 * 2^23, which vectorises everywhere. |x| < 2^22.
TRIAGE_INLINE float rounded(float x) {
  constexpr float magic = 12582912.0F;
  return (x + magic) - magic;
}

TRIAGE_MULTIVERSION void scale_row(const float* row, float inverse, std::int8_t* out, std::size_t n) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(rounded(row[i] * inverse)));
}

/// In lanes, since the compiler may not change the order of a sum of floats by itself.
TRIAGE_MULTIVERSION float weighted_sum(const std::int8_t* row, const float* by, std::size_t n) {
  constexpr std::size_t lanes = 16;
  std::array<float, lanes> sums{};
  const std::size_t whole = n - n % lanes;
  for (std::size_t i = 0; i < whole; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l)
      sums[l] += static_cast<float>(row[i + l]) * by[i + l];
  float total = 0.0F;
  for (std::size_t i = whole; i < n; ++i)
    total += static_cast<float>(row[i]) * by[i];
  for (const float s : sums)
    total += s;
  return total;
}

TRIAGE_MULTIVERSION void multiply(const float* a, const float* b, float* out, std::size_t n) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    out[i] = a[i] * b[i];
}

TRIAGE_MULTIVERSION void to_bytes(const float* x, float inverse, float shift, std::uint8_t* out,
                                  std::size_t n) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i) {
    const float step = std::min(std::max((x[i] - shift) * inverse, 0.0F), 255.0F);
    out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(rounded(step)));
  }
}

TRIAGE_MULTIVERSION std::uint64_t squares_of(const std::uint8_t* row, std::size_t n) {
  // 2^16 bytes of 255 squared stay below 2^32.
  constexpr std::size_t part = 65536;
  std::uint64_t total = 0;
  for (std::size_t begin = 0; begin < n; begin += part) {
    std::uint32_t sum = 0;
    for (std::size_t i = begin; i < std::min(begin + part, n); ++i)
      sum += static_cast<std::uint32_t>(row[i]) * static_cast<std::uint32_t>(row[i]);
    total += sum;
  }
  return total;
}

} // namespace

void quantise_rows(const float* weights, std::span<const float> column_scale,
                   std::span<const float> column_offset, quantised_matrix& out) {
  std::vector<float> scaled(column_scale.empty() ? 0 : out.columns);
  for (std::size_t r = 0; r < out.rows; ++r) {
    const float* row = weights + r * out.columns;
    if (!column_scale.empty()) {
      multiply(row, column_scale.data(), scaled.data(), out.columns);
      row = scaled.data();
    }
    const float largest = largest_magnitude(row, out.columns);
    // A row of zeros has no scale of its own. Rows are finite but in a run that is about to be found
    // diverged.
    out.scale[r] = largest > 0.0F && std::isfinite(largest) ? largest / largest_weight : 1.0F;
    std::int8_t* const to = out.values.data() + r * out.columns;
    scale_row(row, 1.0F / out.scale[r], to, out.columns);
    out.offset[r] = column_offset.empty() ? 0.0F : weighted_sum(to, column_offset.data(), out.columns);
  }
}

void quantise_values(std::span<const float> values, float scale, float shift, std::uint8_t* out) {
  to_bytes(values.data(), 1.0F / scale, shift, out, values.size());
}

void byte_row_squares(const std::uint8_t* rows, std::size_t width, std::span<double> squares) {
  for (std::size_t i = 0; i < squares.size(); ++i)
    squares[i] = static_cast<double>(squares_of(rows + i * width, width));
}

} // namespace triage
