#pragma once

#include "core/result.hpp"

#include <cstddef>

namespace triage {

/// Whether this process may start so many threads more at once: limits of processes and of address space show
/// only then, and whoever is half started when the last thread is refused cannot end in good order. Starts
/// them and lets them end; takes some ten microseconds for each.
[[nodiscard]] result<void> check_threads(std::size_t count);

} // namespace triage
