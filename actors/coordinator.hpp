#pragma once

#include "actors/interfaces.hpp"
#include "actors/run_context.hpp"

#include <caf/fwd.hpp>
#include <optional>

namespace triage {

/// What a checkpoint gives back to a run.
struct resume_point {
  blob parameters;
  saved_state state;
};

/// Runs a training: drives the run_controller, and turns its effects into messages. Spawns the sampler, the
/// evaluator, the checkpointer, the estimators and the workers of this process, watches them, and ends them
/// with the run. The monitor is told when everything is over.
coordinator_actor spawn_coordinator(caf::actor_system& system, const shared_context& context,
                                    const monitor_actor& monitor, const std::optional<resume_point>& resume);

} // namespace triage
