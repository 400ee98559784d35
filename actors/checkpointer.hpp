#pragma once

#include "actors/interfaces.hpp"
#include "actors/run_context.hpp"

#include <caf/fwd.hpp>

namespace triage {

/// Owns the checkpoint directory of a run: writes states one after the other on a thread of its own, so that
/// training goes on meanwhile.
checkpointer_actor spawn_checkpointer(caf::local_actor& parent, const shared_context& context,
                                      const coordinator_actor& coordinator);

} // namespace triage
