#include "core/float_memory.hpp"

#include "core/large_allocator.hpp"

#include <algorithm>
#include <limits>
#include <new>

namespace triage {

namespace {

constexpr std::size_t cache_line = 64;

std::align_val_t alignment_of(std::size_t bytes) {
  return std::align_val_t{bytes >= large_page ? large_page : cache_line};
}

std::size_t bytes_of(std::size_t count) {
  return std::max<std::size_t>(count, 1) * sizeof(float);
}

} // namespace

float* allocate_floats(std::size_t count) {
  if (count > std::numeric_limits<std::size_t>::max() / (2 * sizeof(float)))
    throw std::bad_alloc();
  const std::size_t bytes = bytes_of(count);
  auto* const memory = static_cast<float*>(::operator new(bytes, alignment_of(bytes)));
  ask_for_large_pages(memory, bytes);
  std::fill_n(memory, count, 0.0F);
  return memory;
}

void free_floats(float* memory, std::size_t count) noexcept {
  ::operator delete(memory, alignment_of(bytes_of(count)));
}

} // namespace triage
