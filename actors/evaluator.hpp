#pragma once

#include "actors/interfaces.hpp"
#include "actors/run_context.hpp"

#include <caf/fwd.hpp>

namespace triage {

/// Measures snapshots on held-out data (model_evaluator), on a thread of its own.
evaluator_actor spawn_evaluator(caf::local_actor& parent, const shared_context& context,
                                const coordinator_actor& coordinator, const monitor_actor& monitor);

} // namespace triage
