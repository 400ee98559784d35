#pragma once

#include "nn/kernels/float_vectors.hpp"

#include <cstddef>

// Products of matrices that stay in the cache, for kernels that bring their operands there themselves: a
// library's general product would spend as long on its call.
namespace triage {

/// A row-major matrix, or the transpose of one: element (r, k) lies at data[r * row + k * along].
struct left_operand {
  const float* data = nullptr;
  std::size_t row = 0;
  std::size_t along = 0;
};

/// Rows of `row` floats.
struct right_operand {
  const float* data = nullptr;
  std::size_t row = 0;
};

/// R rows times N vectors of the product, which stay in registers.
template <std::size_t W, std::size_t R, std::size_t N, bool Adds>
TRIAGE_INLINE void product_piece(std::size_t depth, const left_operand& a, const right_operand& b, float* c,
                                 std::size_t c_row) {
  using vector = float_vector<W>;
  vector sum[R][N];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (std::size_t n = 0; n < N; ++n)
      if constexpr (Adds)
        load(c + r * c_row + n * W, sum[r][n]);
      else
        sum[r][n] = vector{};
  for (std::size_t k = 0; k < depth; ++k) {
    vector right[N];
#pragma GCC unroll 4
    for (std::size_t n = 0; n < N; ++n)
      load(b.data + k * b.row + n * W, right[n]);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < R; ++r) {
      const float left = a.data[r * a.row + k * a.along];
#pragma GCC unroll 4
      for (std::size_t n = 0; n < N; ++n)
        sum[r][n] += left * right[n];
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (std::size_t n = 0; n < N; ++n)
      store(sum[r][n], c + r * c_row + n * W);
}

/// c = a b, or c += a b. `rows` is a multiple of R, `columns` of W; N is a power of two.
template <std::size_t W, std::size_t R, std::size_t N, bool Adds>
TRIAGE_INLINE void small_product(std::size_t rows, std::size_t columns, std::size_t depth,
                                 const left_operand& a, const right_operand& b, float* c, std::size_t c_row) {
  std::size_t n = 0;
  for (; n + N * W <= columns; n += N * W)
    for (std::size_t r = 0; r < rows; r += R)
      product_piece<W, R, N, Adds>(depth, {a.data + r * a.row, a.row, a.along}, {b.data + n, b.row},
                                   c + r * c_row + n, c_row);
  if constexpr (N > 1)
    if (n < columns)
      small_product<W, R, N / 2, Adds>(rows, columns - n, depth, a, {b.data + n, b.row}, c + n, c_row);
}

} // namespace triage
