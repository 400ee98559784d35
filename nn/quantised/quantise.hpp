#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// A weight matrix in signed bytes: row r of the matrix is scale[r] times row r of `values`.
struct quantised_matrix {
  quantised_matrix() = default;
  quantised_matrix(std::size_t row_count, std::size_t column_count)
      : rows(row_count), columns(column_count), values(row_count * column_count), scale(row_count),
        offset(row_count) {}

  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<std::int8_t> values;
  std::vector<float> scale;  ///< largest magnitude of the row / 127
  std::vector<float> offset; ///< sum over columns of value * column_offset
};

/// Fills `out` from rows of floats. `column_scale` multiplies each column first; `column_offset` is what
/// `offset` sums with; either may be empty.
void quantise_rows(const float* weights, std::span<const float> column_scale,
                   std::span<const float> column_offset, quantised_matrix& out);

/// byte = round((x - shift) / scale), clamped to 0 … 255.
void quantise_values(std::span<const float> values, float scale, float shift, std::uint8_t* out);

/// Sum of squares of each row of bytes.
void byte_row_squares(const std::uint8_t* rows, std::size_t width, std::span<double> squares);

} // namespace triage
