#pragma once

#include "actors/interfaces.hpp"
#include "actors/run_context.hpp"

#include <caf/fwd.hpp>

namespace triage {

/// Owns a shard's sampling_source: hands out batches, takes scores, keeps estimators busy with the points
/// whose priorities are due. `saved` continues from a checkpoint; empty for a fresh run.
sampler_actor spawn_sampler(caf::local_actor& parent, const shared_context& context,
                            const coordinator_actor& coordinator, const monitor_actor& monitor,
                            const saved_state& saved);

} // namespace triage
