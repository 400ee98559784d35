#pragma once

#include "actors/net/cluster_options.hpp"
#include "actors/run_directory.hpp"
#include "actors/run_setup.hpp"
#include "core/checkpoint.hpp"

#include <memory>
#include <optional>
#include <string>

namespace triage {

/// How a run is started, beside what is trained.
struct run_choices {
  std::string trace_file;
  bool quiet = false;
  std::optional<checkpoint_content> resume;
  std::optional<cluster_options> listen;
};

/// What `train` and `resume` have in common: log, signals, the run itself, the model files, the exit code.
/// Prints the summary to stdout.
[[nodiscard]] int run_and_report(const std::shared_ptr<const run_setup>& setup,
                                 const run_directory& directory, run_choices choices);

} // namespace triage
