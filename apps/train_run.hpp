#pragma once

#include "actors/net/cluster_options.hpp"
#include "actors/run_directory.hpp"
#include "actors/run_setup.hpp"
#include "core/checkpoint.hpp"
#include "core/directory_lock.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace triage {

/// How a run is started, beside what is trained.
struct run_choices {
  std::string trace_file;
  bool quiet = false;
  std::optional<checkpoint_content> resume;
  std::optional<cluster_options> listen;
  std::function<void(const net_address&)> listening; ///< called with the address, its port filled in
  bool changed = false; ///< the description is not that of the directory any more, which is to keep it
  /// Asks for an early end, as a signal does: there is nobody to work. The exit code is that of "try again".
  std::stop_token stop{};
};

/// A run that is about to begin: set up and with a directory of its own.
struct started_run {
  std::shared_ptr<const run_setup> setup;
  run_directory directory;
  std::optional<directory_lock> hold; ///< against other processes; absent where it cannot be written to
  bool is_new = false;                ///< the directory was made for it
};
/// `path` empty: a new directory below runs/. There is none when the run could not begin as chosen.
[[nodiscard]] result<started_run> start_run(const json_value& document, const std::string& file,
                                            const std::string& path,
                                            const std::vector<std::string>& arguments,
                                            const run_choices& choices);

/// What `train` and `resume` have in common: log, signals, the run itself, the model files, the exit code.
/// Prints the summary to stdout.
[[nodiscard]] int run_and_report(const started_run& run, run_choices choices);
/// The same in a directory that is there already, and held meanwhile.
[[nodiscard]] int run_and_report(const std::shared_ptr<const run_setup>& setup,
                                 const run_directory& directory, run_choices choices);

} // namespace triage
