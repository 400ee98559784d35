#pragma once

#include "actors/run_records.hpp"
#include "actors/run_setup.hpp"
#include "actors/trace.hpp"
#include "apps/processes/processor_time.hpp"

#include <memory>

namespace triage {

/// A run of a few seconds whose work is done by `nodes` processes of one thread each, on this machine.
/// `traced`: see train_options. `processors`, if any, follow the nodes. Throws std::runtime_error when it
/// does not finish.
[[nodiscard]] run_summary run_with_nodes(const std::shared_ptr<const run_setup>& setup, int nodes,
                                         int workers_per_thread = 1, trace_sink traced = nullptr,
                                         processor_time* processors = nullptr);

} // namespace triage
