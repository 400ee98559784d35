#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <vector>

namespace triage {

/// Where an array begins that lies on large pages.
inline constexpr std::size_t large_page = std::size_t{2} << 20U;
/// Arrays of this size and more ask for large pages: what rounding up wastes is then below an eighth.
inline constexpr std::size_t large_array = 8 * large_page;

/// Asks the operating system to back the whole large pages within this memory by such. Random access to
/// more than a few megabytes otherwise pays for a page walk each time. A wish: nothing depends on it.
void ask_for_large_pages(void* begin, std::size_t bytes);

/// Gives the whole pages between the two addresses back to the operating system: what an array holds behind
/// its end. Their contents are lost, their addresses stay valid.
void give_back_pages(void* begin, void* end);

/// For arrays that are accessed at random and may be very large.
template <class T>
struct large_allocator {
  using value_type = T;
  large_allocator() = default;
  template <class U>
  explicit(false) large_allocator(const large_allocator<U>&) {}

  [[nodiscard]] T* allocate(std::size_t n) {
    const std::size_t bytes = n * sizeof(T);
    void* const memory = ::operator new(bytes, alignment(bytes));
    if (bytes >= large_array)
      ask_for_large_pages(memory, bytes);
    return static_cast<T*>(memory);
  }
  void deallocate(T* p, std::size_t n) { ::operator delete(p, alignment(n * sizeof(T))); }
  bool operator==(const large_allocator&) const = default;

private:
  [[nodiscard]] static std::align_val_t alignment(std::size_t bytes) {
    constexpr std::size_t small = std::max<std::size_t>(alignof(T), __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    return std::align_val_t{bytes >= large_array ? large_page : small};
  }
};

template <class T>
using large_vector = std::vector<T, large_allocator<T>>;

} // namespace triage
