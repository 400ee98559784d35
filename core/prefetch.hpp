#pragma once

#include "core/multiversion.hpp"

#include <cstddef>

namespace triage {

/// Asks for cache lines that will be written and that other cores have read since: without it each is
/// first fetched to be read and then asked for again, which takes twice as long. Only a hint.
inline void prefetch_to_write(const float* values, std::size_t size) {
  constexpr std::size_t floats_of_a_line = 16;
  for (std::size_t i = 0; i < size; i += floats_of_a_line)
#if defined(__x86_64__)
    // The built-in one is only a prefetch to read on processors of the baseline.
    asm volatile("prefetchw %0" : : "m"(values[i]));
#else
    __builtin_prefetch(values + i, 1);
#endif
}

/// Fetches what lies 4 KiB behind `at`. For loops over images that lie in the third-level cache: the
/// hardware's prefetcher stops at every page. A hint: beyond the end of an array it does no harm.
TRIAGE_INLINE void fetch_ahead(const float* at) {
  constexpr std::size_t ahead = 1024;
  __builtin_prefetch(at + ahead);
}

/// Calls element(i) for all i below `size`, independently of each other, and fetches ahead what it reads from
/// `arrays`.
template <class Element, class... Arrays>
TRIAGE_INLINE void each_fetched(std::size_t size, const Element& element, const Arrays*... arrays) {
  constexpr std::size_t line = 16;
  constexpr std::size_t stretch = 16 * line; // short loops are unrolled and then not vectorised
  const std::size_t whole = size - size % stretch;
  for (std::size_t begin = 0; begin < whole; begin += stretch) {
    for (std::size_t at = begin; at < begin + stretch; at += line)
      (fetch_ahead(arrays + at), ...);
    TRIAGE_INDEPENDENT
    for (std::size_t i = begin; i < begin + stretch; ++i)
      element(i);
  }
  for (std::size_t i = whole; i < size; ++i)
    element(i);
}

} // namespace triage
