#pragma once

#include "actors/run_directory.hpp"
#include "actors/run_setup.hpp"
#include "core/blob.hpp"
#include "core/checkpoint.hpp"
#include "core/log.hpp"
#include "core/result.hpp"

#include <CLI/App.hpp>
#include <memory>
#include <string>
#include <vector>

namespace triage {

/// Prints "triage: message" to stderr and returns the error's exit code.
int complain(const error& e);

/// Reads a description file and puts the --set overrides into it; says on stderr which options they dropped.
[[nodiscard]] result<json_value> read_description(const std::string& file,
                                                  const std::vector<std::string>& overrides);

/// A finished or interrupted run, ready for use.
struct opened_run {
  run_directory directory;
  std::shared_ptr<const run_setup> setup;
  checkpoint_content checkpoint;
  blob parameters;
};
/// Which of a run's checkpoints: the newest healthy one, or the one whose figure was best (checkpoint.best).
enum class checkpoint_choice { newest, best };
/// Adds the option --best, which chooses.
void add_best_option(CLI::App& command, checkpoint_choice& which);

/// Opens a run directory with a checkpoint; says on stderr which corrupt ones were passed over.
[[nodiscard]] result<opened_run> open_run(const std::string& path,
                                          const std::vector<std::string>& overrides = {},
                                          checkpoint_choice which = checkpoint_choice::newest);

/// The same for whoever only feeds the model: of the setup there are config, resolved, data (without its
/// samples), net and loss. Needs nothing but the run directory.
[[nodiscard]] result<opened_run> open_model(const std::string& path, checkpoint_choice which);

/// Whether the data is what the checkpoint was trained on; an error of kind data says what to do.
[[nodiscard]] result<void> check_data(const opened_run& run);

/// How the predictions of a sample are called: by class or output where these have names; one probability is
/// that of the second class.
[[nodiscard]] std::vector<std::string> prediction_names(const run_setup& setup);

/// Whether stderr is a terminal that wants colour and moving lines.
[[nodiscard]] bool stderr_is_terminal();

} // namespace triage
