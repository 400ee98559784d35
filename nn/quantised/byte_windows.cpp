#include "nn/quantised/byte_windows.hpp"

#include "nn/quantised/vnni.hpp"

namespace triage {

namespace {

using vnni::lanes;
using vnni::word;

#if defined(__x86_64__)
// GCC 12 takes the undefined lanes of its own intrinsics for a mistake of ours.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"

/// R rows of P pixels, times G registers of output channels. With two rows, the largest of each 2x2 pixels is
/// all that is stored.
template <std::size_t R, std::size_t P, std::size_t G>
TRIAGE_INLINE TRIAGE_WITH_VNNI void
multiply_piece(const byte_windows& w, const std::uint8_t* const* rows, std::size_t pixel,
               const std::int8_t* packed, const float* multiplier, const float* constant, std::uint8_t* out) {
  __m512i sums[R][P][G];
  for (auto& row_sums : sums)
    for (auto& pixel_sums : row_sums)
      for (auto& sum : pixel_sums)
        sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i < w.rows; ++i)
    for (std::size_t k = 0; k < w.words; ++k, packed += w.outputs * word) {
      __m512i weights[G];
#pragma GCC unroll 4
      for (std::size_t g = 0; g < G; ++g)
        weights[g] = vnni::load_once(packed + g * lanes * word);
#pragma GCC unroll 2
      for (std::size_t r = 0; r < R; ++r) {
        const std::uint8_t* const row = rows[r * w.rows + i] + pixel * w.step + k * word;
#pragma GCC unroll 4
        for (std::size_t p = 0; p < P; ++p) {
          const __m512i pixels = vnni::broadcast_word(row + p * w.step);
#pragma GCC unroll 4
          for (std::size_t g = 0; g < G; ++g)
            sums[r][p][g] = _mm512_dpbusd_epi32(sums[r][p][g], pixels, weights[g]);
        }
      }
    }
  if constexpr (R == 1) {
#pragma GCC unroll 4
    for (std::size_t p = 0; p < P; ++p)
#pragma GCC unroll 4
      for (std::size_t g = 0; g < G; ++g)
        vnni::store_bytes(sums[0][p][g], multiplier + g * lanes, constant + g * lanes,
                          out + (pixel + p) * w.outputs + g * lanes);
  } else {
#pragma GCC unroll 4
    for (std::size_t p = 0; p + 1 < P; p += 2)
#pragma GCC unroll 4
      for (std::size_t g = 0; g < G; ++g)
        vnni::store_bytes(_mm512_max_epi32(_mm512_max_epi32(sums[0][p][g], sums[0][p + 1][g]),
                                           _mm512_max_epi32(sums[1][p][g], sums[1][p + 1][g])),
                          multiplier + g * lanes, constant + g * lanes,
                          out + (pixel + p) / 2 * w.outputs + g * lanes);
  }
}

template <std::size_t R, std::size_t P, std::size_t G>
TRIAGE_INLINE TRIAGE_WITH_VNNI void multiply_groups(const byte_windows& w, const std::uint8_t* const* rows,
                                                    std::size_t first, const std::int8_t* packed,
                                                    const float* multiplier, const float* constant,
                                                    std::uint8_t* out) {
  packed += first * word;
  std::size_t pixel = 0;
  for (; pixel + P <= w.pixels; pixel += P)
    multiply_piece<R, P, G>(w, rows, pixel, packed, multiplier + first, constant + first, out + first);
  for (; pixel + R <= w.pixels; pixel += R)
    multiply_piece<R, R, G>(w, rows, pixel, packed, multiplier + first, constant + first, out + first);
}

/// `most`: registers of output channels at a time that leave room for the pixels' sums.
template <std::size_t R, std::size_t most>
TRIAGE_WITH_VNNI void multiply(const byte_windows& w, const std::uint8_t* const* rows,
                               const std::int8_t* packed, const float* multiplier, const float* constant,
                               std::uint8_t* out) {
  std::size_t first = 0;
  for (; first + most * lanes <= w.outputs; first += most * lanes)
    multiply_groups<R, 4, most>(w, rows, first, packed, multiplier, constant, out);
  for (; first + 2 * lanes <= w.outputs; first += 2 * lanes)
    multiply_groups<R, 4, 2>(w, rows, first, packed, multiplier, constant, out);
  if (first < w.outputs)
    multiply_groups<R, 4, 1>(w, rows, first, packed, multiplier, constant, out);
}

#pragma GCC diagnostic pop
#else
template <std::size_t, std::size_t>
void multiply(const byte_windows&, const std::uint8_t* const*, const std::int8_t*, const float*, const float*,
              std::uint8_t*) {}
#endif

} // namespace

bool multiplies_byte_windows(std::size_t outputs) {
  static const bool able = has_vnni();
  return able && outputs % lanes == 0;
}

void pack_byte_windows(const byte_windows& w, const std::int8_t* weights, std::int8_t* packed) {
  const std::size_t words = w.rows * w.words;
  for (std::size_t k = 0; k < words; ++k)
    for (std::size_t o = 0; o < w.outputs; ++o)
      std::memcpy(packed + (k * w.outputs + o) * word, weights + (o * words + k) * word, word);
}

void multiply_byte_windows(const byte_windows& w, const std::uint8_t* const* rows, const std::int8_t* packed,
                           const float* multiplier, const float* constant, std::uint8_t* out) {
  multiply<1, 4>(w, rows, packed, multiplier, constant, out);
}

void multiply_pooled_byte_windows(const byte_windows& w, const std::uint8_t* const* rows,
                                  const std::int8_t* packed, const float* multiplier, const float* constant,
                                  std::uint8_t* out) {
  multiply<2, 2>(w, rows, packed, multiplier, constant, out);
}

} // namespace triage
