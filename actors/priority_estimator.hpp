#pragma once

#include "actors/interfaces.hpp"
#include "actors/run_context.hpp"

#include <caf/fwd.hpp>

namespace triage {

/// A priority estimator: measures the points that the sampler names with the newest parameters of the
/// coordinator (point_scorer), on its own thread, while workers compute gradients. Holds no state that
/// matters: losing it loses nothing.
estimator_actor spawn_priority_estimator(caf::local_actor& parent, const shared_context& context,
                                         const score_source_actor& sampler, const report_sink_actor& monitor,
                                         const std::string& name);

} // namespace triage
