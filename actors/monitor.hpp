#pragma once

#include "actors/interfaces.hpp"
#include "actors/run_context.hpp"
#include "actors/run_reporter.hpp"

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <memory>
#include <string>

namespace triage {

/// Owns everything that a run tells the world (run_reporter). Asks the sampler for its figures with each
/// progress report, keeps the trace and hands it to `traced` (null: there is none), and forwards the end of
/// the run to `launcher` when summary.json is written. A coordinator that ends without a word counts as a
/// failed run.
monitor_actor spawn_monitor(caf::actor_system& system, const shared_context& context,
                            const std::shared_ptr<run_reporter>& reporter, const caf::actor& launcher,
                            const trace_sink& traced);

} // namespace triage
