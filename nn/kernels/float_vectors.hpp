#pragma once

#include "core/multiversion.hpp"

#include <cstddef>
#include <cstring>

namespace triage {

/// `W` floats that the compiler adds and multiplies at once. Only for functions that are inlined
/// (TRIAGE_INLINE) into one compiled for a processor with registers of that width; passed by reference, since
/// how such values are passed depends on the processor.
template <std::size_t W>
struct float_vector_of {
  typedef float type __attribute__((vector_size(W * sizeof(float)))); // NOLINT(modernize-use-using)
};
template <std::size_t W>
using float_vector = typename float_vector_of<W>::type;

// Functions for such vectors are compiled for one kind of processor each, instead of as target clones, since
// the layout of the images that they work on depends on which one runs: see channel_block.
#if defined(__x86_64__)
#define TRIAGE_WITH_16 __attribute__((target("arch=x86-64-v4")))
#define TRIAGE_WITH_8 __attribute__((target("arch=x86-64-v3")))
#else
#define TRIAGE_WITH_16
#define TRIAGE_WITH_8
#endif

/// In which blocks of channels images with these numbers of channels lie for the kernels in this folder: 16
/// or 8, or 0 where there are none: both must be multiples of it, and the processor must have registers of
/// that width (and oneDNN not be limited to smaller ones by ONEDNN_MAX_CPU_ISA).
[[nodiscard]] std::size_t channel_block(std::size_t channels, std::size_t other_channels);

template <class Vector>
TRIAGE_INLINE void load(const float* from, Vector& v) {
  std::memcpy(&v, from, sizeof v);
}

template <class Vector>
TRIAGE_INLINE void store(const Vector& v, float* to) {
  std::memcpy(to, &v, sizeof v);
}

} // namespace triage
