#pragma once

#include "core/emulated_network.hpp"
#include "core/options.hpp"
#include "core/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace triage {

/// A goal that ends the run, or only marks the moment when it was reached.
struct target_config {
  std::string metric; ///< empty: no target
  std::optional<double> value;
  bool stop = true;
};

/// Ends a run that does not get better.
struct patience_config {
  std::string metric; ///< empty: endless
  std::optional<double> epochs;
  double min_change = 0.0;
};

/// A run description: what one JSON file says, with defaults. Components with options of their own (data,
/// model, optimizer, …) stay JSON here and are read by the layer that owns them.
struct run_config {
  std::int64_t schema_version = 1;
  std::string name = "run";
  std::int64_t seed = 1;

  json_value data;
  json_value model;
  json_value loss = json_value("softmax_cross_entropy");
  json_value class_weights;
  json_value optimizer;
  json_value schedule = json_value(json_value::object{{"type", json_value("constant")}});
  json_value augmentation = json_value(json_value::array{});
  json_value sampling = json_value(json_value::object{{"type", json_value("auto")}});
  std::int64_t batch_size = 64;
  std::optional<double> gradient_clipping;

  std::optional<double> epochs = 10.0;
  std::optional<double> seconds;
  target_config target;
  patience_config patience;

  std::int64_t workers = 1;
  std::int64_t estimators = 1;
  json_value exchange = json_value(json_value::object{{"policy", json_value("bsp")}});
  std::int64_t scoring_batch_size = 2048;
  std::string training_precision = "f32";
  std::string scoring_precision = "auto";
  std::int64_t prefetch_batches = 2;
  bool ledger = true;
  std::int64_t min_workers = 1;
  double wait_seconds = 600.0;

  double heartbeat_seconds = 0.5;
  std::string wire_format = "float32";
  std::string local_transport = "shared_memory";
  std::int64_t shards = 0;
  emulated_network network;

  double evaluate_every_epochs = 1.0;
  std::int64_t probe_size = 10000;

  double checkpoint_every_epochs = 1.0;
  std::int64_t checkpoint_keep = 3;
  std::string checkpoint_best;

  /// Lists every option: reading, writing and the reference documentation follow from it.
  void visit(option_visitor& v);
};

/// Reads a run description; `source` names it in messages. Defaults, then the document.
[[nodiscard]] result<run_config> read_run_config(const json_value& document, const std::string& source);

/// The whole description, defaults included.
[[nodiscard]] json_value write_run_config(const run_config& config);

} // namespace triage
