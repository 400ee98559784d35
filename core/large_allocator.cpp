#include "core/large_allocator.hpp"

#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

namespace triage {

void ask_for_large_pages(void* begin, std::size_t bytes) {
  if (const std::size_t whole = bytes / large_page * large_page; whole > 0)
    (void)::madvise(begin, whole, MADV_HUGEPAGE);
}

void give_back_pages(void* begin, void* end) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t skipped = (page - address % page) % page;
  const std::uintptr_t bytes = reinterpret_cast<std::uintptr_t>(end) - address;
  if (bytes < skipped + page)
    return;
  (void)::madvise(static_cast<std::byte*>(begin) + skipped, (bytes - skipped) / page * page, MADV_DONTNEED);
}

} // namespace triage
