#pragma once

#include "actors/net/coordinator_session.hpp"

#include <map>

namespace triage {

/// Asks the proxy to answer when everything before it has been passed on.
struct flush_request {};
struct flushed {};

/// Stands for coordinator, sampler and monitor in a node's process: workers and estimators talk to it as to
/// the real ones, and it passes on what they say.
using coordinator_proxy_actor =
    caf::typed_actor<caf::reacts_to<join_request>, caf::reacts_to<estimator_ready>,
                     caf::reacts_to<failure_notice>, caf::reacts_to<gradient_part>,
                     caf::reacts_to<train_result>, caf::reacts_to<measured_scores>,
                     caf::reacts_to<warning_report>, caf::reacts_to<remark_report>,
                     caf::reacts_to<trace_lane>, caf::replies_to<flush_request>::with<flushed>>;

[[nodiscard]] coordinator_proxy_actor spawn_coordinator_proxy(caf::actor_system& system,
                                                              std::shared_ptr<coordinator_session> session,
                                                              std::shared_ptr<const run_setup> setup);

} // namespace triage
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::flush_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(triage::flushed)
