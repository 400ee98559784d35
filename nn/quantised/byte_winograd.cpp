#include "nn/quantised/byte_winograd.hpp"

#include "nn/quantised/vnni.hpp"

#include <numeric>

namespace triage {

namespace {

constexpr std::size_t tile_rows = 4;      ///< of points, and of pixels
constexpr std::size_t unsigned_point = 5; ///< (1, 1)
constexpr std::int32_t sign_offset = 128;

/// The transform of three values, `step` apart.
TRIAGE_INLINE std::array<float, tile_rows> transform_three(const float* g, std::size_t step) {
  const float outer = 0.5F * (g[0] + g[2 * step]);
  const float inner = 0.5F * g[step];
  return {g[0], outer + inner, outer - inner, g[2 * step]};
}

#if defined(__x86_64__)
// GCC 12 takes the undefined lanes of its own intrinsics for a mistake of ours.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"

constexpr std::size_t registers = byte_winograd::block / vnni::lanes; ///< of a block of outputs
constexpr std::size_t pair_bytes = 64;                                ///< two points of a block of channels

/// Four pixels below each other, 32 channels, transformed downwards.
struct column {
  __m512i points[tile_rows];
};
TRIAGE_INLINE TRIAGE_WITH_VNNI __m512i load_pixel(const std::uint8_t* at) {
  return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}
TRIAGE_INLINE TRIAGE_WITH_VNNI column load_column(const std::uint8_t* at, std::size_t row_bytes) {
  const __m512i a = load_pixel(at);
  const __m512i b = load_pixel(at + row_bytes);
  const __m512i c = load_pixel(at + 2 * row_bytes);
  const __m512i d = load_pixel(at + 3 * row_bytes);
  return {{_mm512_sub_epi16(a, c), _mm512_add_epi16(b, c), _mm512_sub_epi16(c, b), _mm512_sub_epi16(b, d)}};
}

/// A step of transformed pixels is four of pixels.
TRIAGE_INLINE TRIAGE_WITH_VNNI __m512i rounded(__m512i value, __m512i add) {
  return _mm512_srli_epi16(_mm512_add_epi16(value, add), 2);
}

TRIAGE_WITH_VNNI void transform_tiles_vnni(const byte_winograd& w, const std::uint8_t* from,
                                           std::size_t row_bytes, std::size_t tiles, std::uint8_t* to) {
  const __m512i half = _mm512_set1_epi16(2);
  const __m512i half_and_offset = _mm512_set1_epi16(2 + 4 * sign_offset);
  for (std::size_t c = 0; c < w.channels; c += byte_winograd::block) {
    const std::uint8_t* at = from + c;
    std::uint8_t* out = to + c * byte_winograd::points;
    column first = load_column(at, row_bytes);
    column second = load_column(at + w.channels, row_bytes);
    for (std::size_t t = 0; t < tiles; ++t, out += w.tile_bytes()) {
      at += 2 * w.channels;
      const column third = load_column(at, row_bytes);
      const column fourth = load_column(at + w.channels, row_bytes);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < tile_rows; ++i) {
        const __m512i p0 = _mm512_sub_epi16(first.points[i], third.points[i]);
        const __m512i p1 = _mm512_add_epi16(second.points[i], third.points[i]);
        const __m512i p2 = _mm512_sub_epi16(third.points[i], second.points[i]);
        const __m512i p3 = _mm512_sub_epi16(second.points[i], fourth.points[i]);
        // Bytes of two points by eights of channels: address_of_word.
        std::uint8_t* const pairs = out + 2 * i * pair_bytes;
        _mm512_storeu_si512(pairs, _mm512_packus_epi16(rounded(p0, half_and_offset),
                                                       rounded(p1, i == 1 ? half : half_and_offset)));
        _mm512_storeu_si512(pairs + pair_bytes,
                            _mm512_packus_epi16(rounded(p2, half_and_offset), rounded(p3, half_and_offset)));
      }
      first = third;
      second = fourth;
    }
  }
}

/// Where the transform leaves the channels 4 * word … of a point, in a block of channels.
constexpr std::size_t address_of_word(std::size_t point, std::size_t word) {
  return point / 2 * pair_bytes + word / 2 * 16 + point % 2 * 8 + word % 2 * 4;
}

/// Sums of products of one point, for some tiles and a block of outputs.
using point_sums = __m512i[byte_winograd::together][registers];

TRIAGE_INLINE TRIAGE_WITH_VNNI void multiply_point(const byte_winograd& w, const std::uint8_t* tiles,
                                                   const std::int8_t* weights, const std::int32_t* first,
                                                   point_sums& out) {
  point_sums sums;
#pragma GCC unroll 2
  for (std::size_t g = 0; g < registers; ++g) {
    const __m512i sum = _mm512_loadu_si512(first + g * vnni::lanes);
#pragma GCC unroll 7
    for (auto& tile : sums)
      tile[g] = sum;
  }
  for (std::size_t c = 0; c < w.channels; c += byte_winograd::block) {
    const std::uint8_t* at[byte_winograd::together];
#pragma GCC unroll 7
    for (std::size_t t = 0; t < byte_winograd::together; ++t) {
      at[t] = tiles + c * byte_winograd::points + t * w.tile_bytes();
      asm("" : "+r"(at[t])); // else they are computed again for each word
    }
#pragma GCC unroll 8
    for (std::size_t k = 0; k < byte_winograd::block / vnni::word;
         ++k, weights += byte_winograd::block * vnni::word) {
      __m512i factors[registers];
#pragma GCC unroll 2
      for (std::size_t g = 0; g < registers; ++g)
        factors[g] = vnni::load_once(weights + g * vnni::lanes * vnni::word);
#pragma GCC unroll 7
      for (std::size_t t = 0; t < byte_winograd::together; ++t) {
        const __m512i pixels = vnni::broadcast_word(at[t] + address_of_word(0, k));
#pragma GCC unroll 2
        for (std::size_t g = 0; g < registers; ++g)
          sums[t][g] = _mm512_dpbusd_epi32(sums[t][g], pixels, factors[g]);
      }
    }
  }
#pragma GCC unroll 7
  for (std::size_t t = 0; t < byte_winograd::together; ++t)
#pragma GCC unroll 2
    for (std::size_t g = 0; g < registers; ++g)
      out[t][g] = sums[t][g];
}

/// Two pixels from the sums of four points of a row, or a column.
struct two_pixels {
  __m512i first;
  __m512i second;
};
TRIAGE_INLINE TRIAGE_WITH_VNNI two_pixels transform_back(__m512i a, __m512i b, __m512i c, __m512i d) {
  return {_mm512_add_epi32(_mm512_add_epi32(a, b), c), _mm512_sub_epi32(_mm512_sub_epi32(b, c), d)};
}

template <bool Pooled>
TRIAGE_INLINE TRIAGE_WITH_VNNI void
multiply_outputs(const byte_winograd& w, std::size_t o, const std::uint8_t* transformed,
                 std::span<const tile_targets> targets, const packed_windows& windows,
                 const float* multiplier, const float* constant) {
  point_sums sums[byte_winograd::points];
  for (std::size_t first = 0; first < targets.size(); first += byte_winograd::together) {
    const std::int8_t* weights = windows.weights.data() + o * w.tile_bytes();
    for (std::size_t p = 0; p < byte_winograd::points; ++p, weights += w.channels * byte_winograd::block)
      multiply_point(w, transformed + first * w.tile_bytes() + address_of_word(p, 0), weights,
                     windows.compensation.data() + p * w.outputs + o, sums[p]);
#pragma GCC unroll 2
    for (std::size_t g = 0; g < registers; ++g)
      for (std::size_t t = 0; t < byte_winograd::together; ++t) {
        two_pixels rows[tile_rows];
#pragma GCC unroll 4
        for (std::size_t i = 0; i < tile_rows; ++i)
          rows[i] = transform_back(
              vnni::load_once(&sums[4 * i][t][g]), vnni::load_once(&sums[4 * i + 1][t][g]),
              vnni::load_once(&sums[4 * i + 2][t][g]), vnni::load_once(&sums[4 * i + 3][t][g]));
        const two_pixels left = transform_back(rows[0].first, rows[1].first, rows[2].first, rows[3].first);
        const two_pixels right =
            transform_back(rows[0].second, rows[1].second, rows[2].second, rows[3].second);
        const std::size_t at = o + g * vnni::lanes;
        const tile_targets& to = targets[first + t];
        if constexpr (Pooled) {
          const __m512i largest = _mm512_max_epi32(_mm512_max_epi32(left.first, right.first),
                                                   _mm512_max_epi32(left.second, right.second));
          vnni::store_bytes(largest, multiplier + at, constant + at, to[0] + at);
        } else {
          vnni::store_bytes(left.first, multiplier + at, constant + at, to[0] + at);
          vnni::store_bytes(right.first, multiplier + at, constant + at, to[1] + at);
          vnni::store_bytes(left.second, multiplier + at, constant + at, to[2] + at);
          vnni::store_bytes(right.second, multiplier + at, constant + at, to[3] + at);
        }
      }
  }
}

template <bool Pooled>
TRIAGE_WITH_VNNI void multiply_tiles_vnni(const byte_winograd& w, const std::uint8_t* transformed,
                                          std::span<const tile_targets> targets,
                                          const packed_windows& windows, const float* multiplier,
                                          const float* constant) {
  for (std::size_t o = 0; o < w.outputs; o += byte_winograd::block)
    multiply_outputs<Pooled>(w, o, transformed, targets, windows, multiplier, constant);
}

#pragma GCC diagnostic pop
#else
void transform_tiles_vnni(const byte_winograd&, const std::uint8_t*, std::size_t, std::size_t,
                          std::uint8_t*) {}
template <bool>
void multiply_tiles_vnni(const byte_winograd&, const std::uint8_t*, std::span<const tile_targets>,
                         const packed_windows&, const float*, const float*) {}
#endif

} // namespace

bool multiplies_byte_tiles(std::size_t channels, std::size_t outputs) {
  return has_vnni() && channels % byte_winograd::block == 0 && outputs % byte_winograd::block == 0;
}

TRIAGE_MULTIVERSION void transform_windows(const byte_winograd& w, const float* windows, float* transformed) {
  for (std::size_t o = 0; o < w.outputs; ++o, transformed += w.tile_bytes())
    for (std::size_t c = 0; c < w.channels; ++c, windows += 9) {
      float rows[tile_rows * 3];
      for (std::size_t x = 0; x < 3; ++x) {
        const auto down = transform_three(windows + x, 3);
        for (std::size_t i = 0; i < tile_rows; ++i)
          rows[i * 3 + x] = down[i];
      }
      for (std::size_t i = 0; i < tile_rows; ++i) {
        const auto across = transform_three(rows + i * 3, 1);
        for (std::size_t j = 0; j < tile_rows; ++j)
          transformed[(i * tile_rows + j) * w.channels + c] = across[j];
      }
    }
}

packed_windows::packed_windows(const byte_winograd& w)
    : weights(w.outputs * w.tile_bytes()), compensation(byte_winograd::points * w.outputs) {}

void packed_windows::pack(const byte_winograd& w, const std::int8_t* quantised) {
  const std::int8_t* from = quantised;
  using vnni::word;
  std::int8_t* to = weights.data();
  for (std::size_t o = 0; o < w.outputs; o += byte_winograd::block)
    for (std::size_t p = 0; p < byte_winograd::points; ++p)
      for (std::size_t c = 0; c < w.channels; c += word)
        for (std::size_t k = 0; k < byte_winograd::block; ++k, to += word)
          std::memcpy(to, from + ((o + k) * byte_winograd::points + p) * w.channels + c, word);
  for (std::size_t o = 0; o < w.outputs; ++o)
    for (std::size_t p = 0; p < byte_winograd::points; ++p, from += w.channels)
      compensation[p * w.outputs + o] =
          p == unsigned_point ? 0 : -sign_offset * std::accumulate(from, from + w.channels, 0);
}

void transform_tiles(const byte_winograd& w, const std::uint8_t* from, std::size_t row_bytes,
                     std::size_t tiles, std::uint8_t* transformed) {
  transform_tiles_vnni(w, from, row_bytes, tiles, transformed);
}

void multiply_tiles(const byte_winograd& w, const std::uint8_t* transformed,
                    std::span<const tile_targets> targets, const packed_windows& windows,
                    const float* multiplier, const float* constant, bool pooled) {
  if (pooled)
    multiply_tiles_vnni<true>(w, transformed, targets, windows, multiplier, constant);
  else
    multiply_tiles_vnni<false>(w, transformed, targets, windows, multiplier, constant);
}

} // namespace triage
