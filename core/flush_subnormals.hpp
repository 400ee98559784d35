#pragma once

#include <immintrin.h>

namespace triage {

/// While it lives, this thread takes floats below 1.2e-38 in magnitude for zero. Activations and gradients
/// that fade out end among them, and processors compute with each such number for a hundred cycles and more:
/// a training step can take ten times as long.
class flush_subnormals {
public:
  flush_subnormals() : before_(_mm_getcsr()) {
    constexpr unsigned flush_to_zero = 0x8000U;
    constexpr unsigned denormals_are_zero = 0x0040U;
    _mm_setcsr(before_ | flush_to_zero | denormals_are_zero);
  }
  ~flush_subnormals() { _mm_setcsr(before_); }
  flush_subnormals(const flush_subnormals&) = delete;
  flush_subnormals& operator=(const flush_subnormals&) = delete;

private:
  unsigned before_;
};

} // namespace triage
