#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace triage {

/// Somebody waits: for what, from whom, since when. Together they are the wait-for graph of a run.
struct wait_record {
  std::string who;
  std::string what;
  std::string from;
  double seconds = 0.0; ///< so far
};

/// One member as the coordinator sees it.
struct member_state {
  std::string name;
  std::uint64_t clock = 0; ///< rounds finished
  std::uint64_t lag = 0;   ///< versions between what its last result was computed with and the newest then
  std::uint64_t samples = 0;
  double samples_per_second = 0.0; ///< since it joined
  double busy_share = 0.0;         ///< of the time since it joined, spent computing
  bool computing = false;
};

/// A node and the parts of the training points that it holds, where points are divided among nodes.
struct shard_holder {
  std::string node; ///< empty: the coordinator's own process
  std::vector<std::size_t> shards;
  std::size_t waiting = 0; ///< points that were drawn for it and are not ordered yet
};

/// Where a run stands at a moment.
struct run_state {
  std::string phase; ///< "training", "evaluating", …
  double phase_seconds = 0.0;
  std::uint64_t step = 0;
  double epochs = 0.0;
  std::optional<double> total_epochs;
  double train_seconds = 0.0;
  std::uint64_t samples_trained = 0;
  std::uint64_t dropped_results = 0;
  std::vector<std::string> lost_members;
  std::vector<member_state> members;
  std::vector<wait_record> waits;
  std::vector<shard_holder> holders; ///< empty: every node may train every point
};

} // namespace triage
