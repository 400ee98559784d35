#pragma once

#include "apps/race/run_result.hpp"

namespace triage {

/// What a run had cost when it first reached a figure.
struct crossing {
  double seconds = 0.0;
  double samples = 0.0;
  double compute_seconds = 0.0;
  bool at_first_evaluation = false; ///< reached somewhere before: the costs are upper bounds
};

/// The first crossing of `value`, in a straight line between the evaluation before and the one that is
/// across. Nothing when the curve never gets there. Evaluations without the figure are passed over.
[[nodiscard]] std::optional<crossing> first_crossing(const curve& points, std::string_view metric,
                                                     double value);

} // namespace triage
