#pragma once

// Dot products of bytes, four at a time (AVX512-VNNI), and what all kernels of our own on them share.

#include "core/multiversion.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace triage {

/// Whether the processor has AVX512-VNNI, and oneDNN is not limited to less (ONEDNN_MAX_CPU_ISA).
inline bool has_vnni() {
#if defined(__x86_64__)
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_vnni);
  return (isa & wanted) == wanted && __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

/// Whether oneDNN multiplies bytes in tiles (AMX), several times as fast as VNNI.
inline bool has_amx() {
  return dnnl::get_effective_cpu_isa() == dnnl::cpu_isa::avx512_core_amx;
}

namespace vnni {

constexpr std::size_t word = 4;   ///< bytes that one instruction multiplies and sums
constexpr std::size_t lanes = 16; ///< output channels of a register

#if defined(__x86_64__)
#define TRIAGE_WITH_VNNI __attribute__((target("arch=x86-64-v4,avx512vnni")))

/// A register that several instructions read. Without this the compiler makes each of them load it.
TRIAGE_INLINE TRIAGE_WITH_VNNI __m512i load_once(const void* at) {
  __m512i loaded = _mm512_loadu_si512(at);
  asm("" : "+v"(loaded));
  return loaded;
}

/// Four bytes in all lanes.
TRIAGE_INLINE TRIAGE_WITH_VNNI __m512i broadcast_word(const std::uint8_t* at) {
  std::int32_t bytes = 0;
  std::memcpy(&bytes, at, word);
  return _mm512_set1_epi32(bytes);
}

/// multiplier * (sum + constant) of 16 output channels, rounded and clamped to 0 … 255.
TRIAGE_INLINE TRIAGE_WITH_VNNI void store_bytes(__m512i sum, const float* multiplier, const float* constant,
                                                std::uint8_t* out) {
  const __m512 shifted = _mm512_add_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(constant));
  const __m512 scaled = _mm512_mul_ps(shifted, _mm512_loadu_ps(multiplier));
  const __m512i rounded = _mm512_cvtps_epi32(_mm512_max_ps(scaled, _mm512_setzero_ps()));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtusepi32_epi8(rounded));
}

#endif

} // namespace vnni

} // namespace triage
