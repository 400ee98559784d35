#pragma once

#include <cstddef>

namespace triage {

/// What the calling thread has allocated since the object was made. The global allocation functions that
/// count are in allocation_count.cpp.
class allocation_count {
public:
  allocation_count();
  /// Bytes of the largest single allocation.
  [[nodiscard]] std::size_t largest() const;
  /// Allocations minus releases.
  [[nodiscard]] std::ptrdiff_t kept() const;
};

/// What all threads have allocated since the program began.
struct process_allocations {
  double calls = 0.0;
  double bytes = 0.0;
  [[nodiscard]] static process_allocations now();
};

} // namespace triage
