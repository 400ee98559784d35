#pragma once

#include "apps/processes/child_process.hpp"
#include "apps/race/plan.hpp"
#include "apps/race/same_data.hpp"

#include <stop_token>

namespace triage {

struct runner_options {
  std::string directory; ///< of the race
  std::int64_t cores = 1;
  std::int64_t parallel = 1;
  std::size_t total = 0; ///< runs of the whole race, for the progress lines
  std::stop_token stop;
};

/// Carries out planned runs as child processes, each pinned to cores of its own, and tells about each on
/// stderr. A run that is done already is passed over; one that is half done is removed and done again; one
/// that fails is a result like any other. Runs that are done on data that have changed since are an error.
class race_runner {
public:
  explicit race_runner(runner_options options);

  /// Returns when all have ended, or earlier when a stop was requested: then no child is left.
  /// An error: files or processes that cannot be made.
  [[nodiscard]] result<void> run(const std::vector<planned_run>& plan);
  [[nodiscard]] bool stopped() const { return options_.stop.stop_requested(); }

private:
  struct slot {
    std::vector<int> cores;
    std::optional<child_process> child;
    const planned_run* run = nullptr;
    double since = 0.0;
  };

  [[nodiscard]] result<void> start(slot& s, const planned_run& run);
  void ended(slot& s);
  void stop_children();
  [[nodiscard]] std::string path(const planned_run& run) const {
    return options_.directory + "/" + run.directory;
  }

  runner_options options_;
  std::vector<slot> slots_;
  same_data data_;
  std::size_t finished_ = 0; ///< also those that were passed over
  std::size_t executed_ = 0;
  double seconds_spent_ = 0.0; ///< of all executed runs, the clock on the wall
};

} // namespace triage
