#include "core/large_allocator.hpp"

#include <sys/mman.h>

namespace triage {

void ask_for_large_pages(void* begin, std::size_t bytes) {
  if (const std::size_t whole = bytes / large_page * large_page; whole > 0)
    (void)::madvise(begin, whole, MADV_HUGEPAGE);
}

} // namespace triage
