#include "tests/support/allocation_count.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

// Replaces the allocation functions of the whole test program, oneDNN's C++ code included.

namespace {

thread_local std::size_t largest_since = 0;
thread_local std::ptrdiff_t balance = 0;
thread_local std::ptrdiff_t balance_before = 0;

std::atomic<std::uint64_t> all_calls{0};
std::atomic<std::uint64_t> all_bytes{0};

/// Null where there is no memory.
void* try_to_allocate(std::size_t bytes, std::size_t alignment) noexcept {
  largest_since = std::max(largest_since, bytes);
  ++balance;
  all_calls.fetch_add(1, std::memory_order_relaxed);
  all_bytes.fetch_add(bytes, std::memory_order_relaxed);
  const std::size_t whole = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, whole);
}

void* allocate(std::size_t bytes, std::size_t alignment) {
  void* const p = try_to_allocate(bytes, alignment);
  if (p == nullptr)
    throw std::bad_alloc();
  return p;
}

void release(void* p) noexcept {
  if (p == nullptr)
    return;
  --balance;
  std::free(p);
}

constexpr std::size_t usual = alignof(std::max_align_t);

} // namespace

void* operator new(std::size_t n) {
  return allocate(n, usual);
}
void* operator new[](std::size_t n) {
  return allocate(n, usual);
}
void* operator new(std::size_t n, std::align_val_t a) {
  return allocate(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a) {
  return allocate(n, static_cast<std::size_t>(a));
}
// The library's own would end in the two above, the address sanitizer's would not.
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return try_to_allocate(n, usual);
}
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept {
  return try_to_allocate(n, usual);
}
void operator delete(void* p) noexcept {
  release(p);
}
void operator delete[](void* p) noexcept {
  release(p);
}
void operator delete(void* p, std::size_t) noexcept {
  release(p);
}
void operator delete[](void* p, std::size_t) noexcept {
  release(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  release(p);
}
void operator delete[](void* p, std::align_val_t) noexcept {
  release(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  release(p);
}
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  release(p);
}

namespace triage {

allocation_count::allocation_count() {
  largest_since = 0;
  balance_before = balance;
}

std::size_t allocation_count::largest() const {
  return largest_since;
}

std::ptrdiff_t allocation_count::kept() const {
  return balance - balance_before;
}

process_allocations process_allocations::now() {
  return {static_cast<double>(all_calls.load()), static_cast<double>(all_bytes.load())};
}

} // namespace triage
