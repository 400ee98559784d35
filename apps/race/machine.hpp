#pragma once

#include "core/json.hpp"

namespace triage {

/// The machine that a race is run on: cpu, cores, available_cores, memory_bytes, load (over the last minute).
[[nodiscard]] json_value machine_description();

} // namespace triage
