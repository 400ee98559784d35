#pragma once

#include "actors/net/remote_node.hpp"
#include "actors/run_reporter.hpp"
#include "actors/run_state.hpp"

namespace triage {

/// Everything that `triage status` shows, as one JSON object: where the run stands, its members and nodes,
/// the priorities, and the wait-for graph.
[[nodiscard]] json_value status_json(const std::string& run_name, const run_state& state,
                                     const sampling_status& sampling,
                                     const std::vector<remote_node::figures>& nodes);

/// Members and nodes alone: a record for metrics.jsonl.
[[nodiscard]] json_value members_json(const run_state& state, const std::vector<remote_node::figures>& nodes);

/// The status for people.
[[nodiscard]] std::string status_text(const json_value& status);

} // namespace triage
