#pragma once

#include "actors/run_setup.hpp"

namespace triage {

/// About how many bytes a run takes in this process beside its data: parameters, moments, gradients of its
/// workers, and what the program itself needs.
[[nodiscard]] std::size_t memory_beside_data(const run_setup& setup);
/// Of its data, as they are stored.
[[nodiscard]] std::size_t memory_of_data(const run_setup& setup);

} // namespace triage
