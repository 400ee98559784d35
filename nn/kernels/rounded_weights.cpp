#include "nn/kernels/rounded_weights.hpp"

#include "core/multiversion.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace triage {

namespace {

constexpr std::int64_t columns_of_floats = 16;
constexpr std::int64_t pair = 2;

TRIAGE_INLINE std::uint32_t rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t nearest = bits + 0x7FFFU + ((bits >> 16U) & 1U);
  return value != value ? bits | 0x0040'0000U : nearest; // what rounds up from a NaN could be anything
}

/// Two columns of `size` rows, as pairs, each of which takes the place of a float.
TRIAGE_INLINE void round_columns(const float* first, const float* second, std::int64_t size, float* out) {
  TRIAGE_INDEPENDENT
  for (std::int64_t i = 0; i < size; ++i)
    out[i] = std::bit_cast<float>(rounded(first[i]) >> 16U | (rounded(second[i]) & 0xFFFF'0000U));
}

TRIAGE_MULTIVERSION void round_weights(std::int64_t rows, std::int64_t columns, const weight_blocks& source,
                                       const float* from, const weight_blocks& target, float* to) {
  const std::int64_t stretch = std::min(source.rows, target.rows);
  for (std::int64_t row = 0; row < rows; row += stretch)
    for (std::int64_t column = 0; column < columns; column += pair) {
      const std::int64_t couple = column / pair;
      const float* const first = from + row / source.rows * source.row_stride + row % source.rows +
                                 column / source.columns * source.column_stride +
                                 column % source.columns * source.rows;
      float* const out = to + row / target.rows * target.row_stride + row % target.rows +
                         couple / target.columns * target.column_stride +
                         couple % target.columns * target.rows;
      round_columns(first, first + source.rows, stretch, out);
    }
}

/// The inner blocks of a matrix, innermost last: how many, and of rows (0) or columns (1).
std::vector<std::pair<std::int64_t, std::int64_t>> inner_blocks(const dnnl::memory::desc& d) {
  std::vector<std::pair<std::int64_t, std::int64_t>> out;
  if (d.data.format_kind != dnnl_blocked || d.data.ndims != 2)
    return out;
  const auto& b = d.data.format_desc.blocking;
  for (int i = 0; i < b.inner_nblks; ++i)
    out.emplace_back(b.inner_blks[i], b.inner_idxs[i]);
  return out;
}

} // namespace

std::optional<weight_rounding> weight_rounding::between(const dnnl::memory::desc& from,
                                                        const dnnl::memory::desc& to) {
  const auto source = inner_blocks(from);
  const auto target = inner_blocks(to);
  if (from.data.data_type != dnnl_f32 || to.data.data_type != dnnl_bf16 || source.size() != 2 ||
      target.size() != 3 || source[0] != std::pair(columns_of_floats, std::int64_t{1}) ||
      source[1].second != 0 || target[0].second != 1 || target[1].second != 0 ||
      target[2] != std::pair(pair, std::int64_t{1}))
    return std::nullopt;
  weight_rounding w;
  w.rows_ = from.data.dims[0];
  w.columns_ = from.data.dims[1];
  const std::int64_t larger = std::max(source[1].first, target[1].first);
  const std::int64_t smaller = std::min(source[1].first, target[1].first);
  // Whole blocks only, and no padding but of columns in the target.
  if (w.rows_ % larger != 0 || larger % smaller != 0 || w.columns_ % columns_of_floats != 0)
    return std::nullopt;
  const auto* const from_strides = from.data.format_desc.blocking.strides;
  const auto* const to_strides = to.data.format_desc.blocking.strides;
  w.from_ = {source[1].first, source[0].first, from_strides[0], from_strides[1]};
  w.to_ = {target[1].first, target[0].first, to_strides[0] / pair, to_strides[1] / pair};
  return w;
}

void weight_rounding::run(const float* from, float* to) const {
  round_weights(rows_, columns_, from_, from, to_, to);
}

} // namespace triage
