#pragma once

#include "apps/race/outcome.hpp"

namespace triage {

/// What the race says about a target, one plain sentence for each arm beside the baseline.
[[nodiscard]] std::vector<std::string> statements(const race_spec& spec, const target_outcome& target);

/// "train loss 0.1235 (the median of uniform at its end)": which target is meant.
[[nodiscard]] std::string describe(const race_spec& spec, const target_outcome& target);

/// What a reader must know before believing the figures: failed runs, few seeds, choices at the edge of a
/// grid, data that differ.
[[nodiscard]] std::vector<std::string> remarks(const race_outcome& race);

/// What the clock of every race leaves out, and what else limits its figures.
[[nodiscard]] std::vector<std::string> caveats();

} // namespace triage
