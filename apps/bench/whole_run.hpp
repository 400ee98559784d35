#pragma once

#include "actors/run_setup.hpp"

#include <memory>

namespace triage {

/// Trains, and returns samples per second of training time. Throws std::runtime_error when the run fails.
[[nodiscard]] double run_rate(const std::shared_ptr<const run_setup>& setup);

} // namespace triage
