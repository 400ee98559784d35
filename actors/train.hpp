#pragma once

#include "actors/net/cluster_options.hpp"
#include "actors/run_records.hpp"
#include "actors/run_reporter.hpp"
#include "actors/run_setup.hpp"
#include "actors/trace.hpp"
#include "core/blob.hpp"
#include "core/checkpoint.hpp"
#include "core/log.hpp"

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace triage {

/// How to run a training in this process.
struct train_options {
  std::string run_directory; ///< checkpoints, metrics and summary; empty: nothing is written
  std::string trace_file;    ///< Chrome trace of all actors; empty: none
  trace_sink traced;         ///< gets what the trace is made of, on another thread; null: nobody
  bool progress = false;     ///< progress on stderr
  bool terminal = false;     ///< stderr is a terminal
  logger* log = nullptr;     ///< null: warnings and errors go nowhere
  std::optional<checkpoint_content> resume; ///< continue from this state
  /// Called once it is known that description and checkpoint fit, before anything is written; an error of it
  /// is that of the start.
  std::function<result<void>()> accepted;
  std::optional<cluster_options> listen;             ///< let nodes join at this address
  std::function<void(const net_address&)> listening; ///< called with the address, its port filled in
};

/// How a training ended, and the parameters it ended with (a flat block laid out by
/// setup->net->parameters()).
struct train_outcome {
  run_summary summary;
  blob parameters;
};

/// An error when there would be nobody to compute gradients: no workers here, and no nodes to join.
[[nodiscard]] result<void> check_workers(const run_setup& setup, bool nodes_may_join);

/// Trains: starts coordinator, workers, estimators and services as actors of this process and waits for the
/// end. A failed run is an outcome with status `failed`, not an error; errors are what prevents a start.
/// `stop` asks for an early end: the step is finished and the state saved. Blocks; any number of runs may
/// follow one another in a process.
[[nodiscard]] result<train_outcome> train(const std::shared_ptr<const run_setup>& setup,
                                          const train_options& options = {}, std::stop_token stop = {});

/// For embedding: reads a run description from JSON text or a parsed document, with overrides as for --set.
[[nodiscard]] result<std::shared_ptr<const run_setup>>
prepare_run_text(std::string_view json, const run_extensions& extensions = {});

} // namespace triage
