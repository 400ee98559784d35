#pragma once

#include "actors/class_weights.hpp"
#include "core/dataset.hpp"
#include "core/exchange.hpp"
#include "core/run_config.hpp"
#include "nn/augmentation.hpp"
#include "nn/layer.hpp"
#include "nn/loss.hpp"
#include "nn/network.hpp"
#include "nn/optimizer.hpp"
#include "nn/schedule.hpp"
#include "sampling/sampling_source.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace triage {

/// Components that an embedding program adds to the built-in tables for its runs.
struct run_extensions {
  layer_table layers;
  score_table scores;
  /// Called with the data right after they were loaded: takes away, adds, replaces. The standardisation stays
  /// what it was. Samples of large files stay there (data.map): their set has no `bytes` or `floats` to
  /// change.
  std::function<void(data_splits&)> change_data;
};

/// Everything a run is made of, built and checked before anything is computed. Immutable afterwards and
/// shared by all actors; they make the objects that carry state (sampler, augmentations, workspaces)
/// themselves.
struct run_setup {
  run_config config;
  json_value resolved; ///< the description with every default filled in, also those of the components
  std::string source;  ///< where the description came from, for messages

  data_splits data;
  std::shared_ptr<const network> net;
  std::unique_ptr<const loss_function> loss;
  triage::class_weights class_weights;
  std::unique_ptr<const optimizer> rule;
  std::unique_ptr<const schedule> learning_schedule;
  std::unique_ptr<const exchange_policy> exchange;
  /// How messages are compressed, all but the statistics, of which a wrong one cannot be made good later;
  /// null: not at all.
  std::unique_ptr<const compressor> compression_up;
  std::unique_ptr<const compressor> compression_down;
  /// How the coordinator merges what workers send: with the optimizer of the run, or, after local steps, with
  /// one that makes no difference between weights and biases.
  std::unique_ptr<const optimizer> mean_rule; ///< null: gradients arrive, `rule` merges them
  parameter_layout mean_layout;
  std::unique_ptr<const score> point_score; ///< null when the sampling needs no scores
  bool uses_estimators = false;             ///< the sampling has work for them
  bool wants_losses = false;                ///< of each point trained: for the ledger or the noise guard
  std::vector<std::uint32_t> probe;         ///< training points that train_loss is measured on
  run_extensions extensions;

  [[nodiscard]] json_place place(const char* pointer) const { return {source, pointer}; }
  [[nodiscard]] const optimizer& merge_rule() const { return mean_rule ? *mean_rule : *rule; }
  [[nodiscard]] const parameter_layout& merge_layout() const {
    return mean_rule ? mean_layout : net->parameters();
  }
  /// Fresh instances with state of their own. The description was checked: they cannot fail.
  [[nodiscard]] sampling_description new_sampling() const;
  [[nodiscard]] std::vector<std::unique_ptr<augmentation>> new_augmentations() const;
  /// Why a figure ("test_accuracy") is not measured in this run, and what to do; empty: it is.
  [[nodiscard]] std::string why_unmeasured(std::string_view metric) const;
  [[nodiscard]] std::uint64_t seed() const { return static_cast<std::uint64_t>(config.seed); }
};

/// What uses a model without its training data: config, resolved, data, net and loss of a setup. `data` says
/// what the training data was (core/data_facts.hpp).
[[nodiscard]] result<std::shared_ptr<const run_setup>>
prepare_model(const json_value& document, const std::string& source, data_splits data);

/// Reads a description and builds what it describes, loading the data. Every error names the place.
[[nodiscard]] result<std::shared_ptr<const run_setup>>
prepare_run(const json_value& document, const std::string& source, const run_extensions& extensions = {});

} // namespace triage
