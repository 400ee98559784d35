#pragma once

#include "apps/race/outcome.hpp"

namespace triage {

/// Median and range over seeds of one figure of one arm.
struct spread {
  double middle = 0.0;
  double low = 0.0;
  double high = 0.0;
};

/// One figure at the end of the runs, for all arms.
struct final_row {
  std::string name;                        ///< "test_accuracy"
  std::vector<std::optional<spread>> arms; ///< nothing where it was not measured
};

/// Losses and accuracies of the last evaluation (failed runs count as the worst), training seconds, samples
/// per second and the share of scoring (failed runs are left out). Figures that nobody measured are left out.
[[nodiscard]] std::vector<final_row> final_rows(const race_outcome& race);

} // namespace triage
