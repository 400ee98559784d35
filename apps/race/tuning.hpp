#pragma once

#include "apps/race/plan.hpp"
#include "apps/race/run_result.hpp"

namespace triage {

/// One point of a tuning grid after its runs.
struct tuned_point {
  grid_point point;
  std::vector<run_result> runs;
  std::vector<double> figures; ///< the tuning metric at the end of each; the worst value when a run failed
  double mean = 0.0;
};

/// How the grid point of an arm was chosen.
struct tuning_outcome {
  std::size_t arm = 0;
  std::vector<tuned_point> points;
  std::size_t chosen = 0;
  std::string remark; ///< what makes the choice doubtful; empty: nothing
};

/// Fills figures, means, the choice (the best mean; the first of equals) and the remark, from the runs.
void choose_point(const race_spec& spec, tuning_outcome& tuning);

} // namespace triage
