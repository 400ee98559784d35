#pragma once

#include "core/result.hpp"

#include <cstddef>

namespace triage {

/// Whether this process may start `count` threads more at once and take so many bytes beside: limits of
/// processes and of address space (ulimit -u, -v) show only then, and whoever is half started when the last
/// thread is refused cannot end in good order. Starts the threads, asks for the memory, and gives all back;
/// takes some ten microseconds a thread.
[[nodiscard]] result<void> check_room(std::size_t count, std::size_t bytes = 0);

/// Where address space is limited: threads share one heap, which else reserves 64 MB for each of them. Before
/// the first thread is started.
void spare_address_space();

} // namespace triage
