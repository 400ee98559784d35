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

template <class Vector>
TRIAGE_INLINE void load(const float* from, Vector& v) {
  std::memcpy(&v, from, sizeof v);
}

template <class Vector>
TRIAGE_INLINE void store(const Vector& v, float* to) {
  std::memcpy(to, &v, sizeof v);
}

} // namespace triage
