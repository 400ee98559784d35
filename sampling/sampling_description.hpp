#pragma once

#include "sampling/gate.hpp"
#include "sampling/noise_guard.hpp"
#include "sampling/refresh_policy.hpp"
#include "sampling/score.hpp"
#include "sampling/selector.hpp"

#include <memory>
#include <optional>
#include <string>

namespace triage {

/// The options that every kind of sampling has, beside those of its selector.
struct sampling_options {
  json_value score = json_value("gnorm_last");
  json_value estimator = json_value("byproduct");
  json_value predictor = json_value("keep");
  std::optional<double> warm_epochs;
  std::optional<double> tail_uniform_fraction;
  double anneal_fraction = 0.0;
  double floor = 1e-6;
  std::string mean_gradient_rule = "mean";
  std::string renewed_gradients = "measure";
  triage::gate gate;
  noise_guard guard;
  void visit(option_visitor& v);
};

/// The "sampling" object of a run description, read and built.
struct sampling_description {
  sampling_options options;
  std::unique_ptr<triage::score> score; ///< null when the selector does not look at priorities
  std::unique_ptr<triage::selector> selector;
  std::unique_ptr<refresh_policy> refresh;
  std::unique_ptr<predictor> history; ///< null: the last measurement counts
  json_value resolved;                ///< with every default filled in and presets written out

  /// The names of selector, score, estimator and predictor: what they know is of no use to others.
  [[nodiscard]] std::string parts() const;
};

/// Reads {"type": SELECTOR or PRESET, "score": …, "estimator": …, …selector options}; `extra` holds scores
/// beside the built-in ones.
[[nodiscard]] result<sampling_description> make_sampling(const json_value& given, const json_place& place,
                                                         score_table extra = {});

} // namespace triage
