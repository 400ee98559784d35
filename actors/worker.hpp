#pragma once

#include "actors/interfaces.hpp"
#include "actors/run_context.hpp"

#include <caf/fwd.hpp>

namespace triage {

/// A gradient worker: joins the coordinator, then answers each order with a result (batch_trainer). A failure
/// is reported with its reason before the worker ends.
worker_actor spawn_worker(caf::local_actor& parent, const shared_context& context,
                          const work_source_actor& coordinator, const report_sink_actor& monitor,
                          const std::string& name);

} // namespace triage
