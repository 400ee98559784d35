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
};

} // namespace triage
