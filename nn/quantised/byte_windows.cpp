#include "nn/quantised/byte_windows.hpp"

#include "core/multiversion.hpp"

#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace triage {

namespace {

constexpr std::size_t word = 4;   ///< bytes that one instruction multiplies and sums
constexpr std::size_t lanes = 16; ///< output channels of a register

#if defined(__x86_64__)
// GCC 12 takes the undefined lanes of its own intrinsics for a mistake of ours.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#define TRIAGE_WITH_VNNI __attribute__((target("arch=x86-64-v4,avx512vnni")))

/// P pixels times G registers of output channels.
template <std::size_t P, std::size_t G>
TRIAGE_INLINE TRIAGE_WITH_VNNI void
multiply_piece(const byte_windows& w, const std::uint8_t* const* rows, std::size_t pixel,
               const std::int8_t* packed, const float* multiplier, const float* constant, std::uint8_t* out) {
  __m512i sums[P][G];
  for (auto& pixel_sums : sums)
    for (auto& sum : pixel_sums)
      sum = _mm512_setzero_si512();
  for (std::size_t r = 0; r < w.rows; ++r) {
    const std::uint8_t* const row = rows[r] + pixel * w.step;
    for (std::size_t k = 0; k < w.words; ++k, packed += w.outputs * word) {
      __m512i weights[G];
#pragma GCC unroll 4
      for (std::size_t g = 0; g < G; ++g)
        weights[g] = _mm512_loadu_si512(packed + g * lanes * word);
#pragma GCC unroll 4
      for (std::size_t p = 0; p < P; ++p) {
        std::int32_t bytes = 0;
        std::memcpy(&bytes, row + p * w.step + k * word, word);
        const __m512i pixels = _mm512_set1_epi32(bytes);
#pragma GCC unroll 4
        for (std::size_t g = 0; g < G; ++g)
          sums[p][g] = _mm512_dpbusd_epi32(sums[p][g], pixels, weights[g]);
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t p = 0; p < P; ++p)
#pragma GCC unroll 4
    for (std::size_t g = 0; g < G; ++g) {
      const __m512 sum = _mm512_add_ps(_mm512_cvtepi32_ps(sums[p][g]), _mm512_loadu_ps(constant + g * lanes));
      const __m512 scaled = _mm512_mul_ps(sum, _mm512_loadu_ps(multiplier + g * lanes));
      const __m512i rounded = _mm512_cvtps_epi32(_mm512_max_ps(scaled, _mm512_setzero_ps()));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + (pixel + p) * w.outputs + g * lanes),
                       _mm512_cvtusepi32_epi8(rounded));
    }
}

template <std::size_t G>
TRIAGE_INLINE TRIAGE_WITH_VNNI void multiply_groups(const byte_windows& w, const std::uint8_t* const* rows,
                                                    std::size_t first, const std::int8_t* packed,
                                                    const float* multiplier, const float* constant,
                                                    std::uint8_t* out) {
  packed += first * word;
  std::size_t pixel = 0;
  for (; pixel + 4 <= w.pixels; pixel += 4)
    multiply_piece<4, G>(w, rows, pixel, packed, multiplier + first, constant + first, out + first);
  for (; pixel < w.pixels; ++pixel)
    multiply_piece<1, G>(w, rows, pixel, packed, multiplier + first, constant + first, out + first);
}

TRIAGE_WITH_VNNI void multiply(const byte_windows& w, const std::uint8_t* const* rows,
                               const std::int8_t* packed, const float* multiplier, const float* constant,
                               std::uint8_t* out) {
  std::size_t first = 0;
  for (; first + 4 * lanes <= w.outputs; first += 4 * lanes)
    multiply_groups<4>(w, rows, first, packed, multiplier, constant, out);
  for (; first + 2 * lanes <= w.outputs; first += 2 * lanes)
    multiply_groups<2>(w, rows, first, packed, multiplier, constant, out);
  if (first < w.outputs)
    multiply_groups<1>(w, rows, first, packed, multiplier, constant, out);
}

#pragma GCC diagnostic pop

bool has_vnni() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_vnni);
  return (isa & wanted) == wanted && __builtin_cpu_supports("avx512vnni");
}
#else
void multiply(const byte_windows&, const std::uint8_t* const*, const std::int8_t*, const float*, const float*,
              std::uint8_t*) {}
bool has_vnni() {
  return false;
}
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
  multiply(w, rows, packed, multiplier, constant, out);
}

} // namespace triage
