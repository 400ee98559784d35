#pragma once

#include "actors/run_directory.hpp"
#include "actors/run_setup.hpp"
#include "core/checkpoint.hpp"

#include <memory>
#include <optional>
#include <string>

namespace triage {

/// What `train` and `resume` have in common: log, signals, the run itself, the model files, the exit code.
/// Prints the summary to stdout.
[[nodiscard]] int run_and_report(const std::shared_ptr<const run_setup>& setup,
                                 const run_directory& directory, const std::string& trace_file, bool quiet,
                                 std::optional<checkpoint_content> resume);

} // namespace triage
