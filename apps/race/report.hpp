#pragma once

#include "apps/race/outcome.hpp"

#include <string>

namespace triage {

// The forms in which a race is told. Each is a pure function of the outcome and of what it ran on.

/// What a report says beside the outcome.
struct race_circumstances {
  json_value machine;   ///< machine_description()
  json_value build;     ///< build_description()
  std::string finished; ///< UTC
};

[[nodiscard]] json_value report_json(const race_outcome& race, const race_circumstances& around);
/// One line per target, arm and seed.
[[nodiscard]] std::string report_csv(const race_outcome& race);
/// One line per arm, seed and evaluation.
[[nodiscard]] std::string curves_csv(const race_outcome& race);
/// A page that needs nothing but itself.
[[nodiscard]] std::string report_html(const race_outcome& race, const race_circumstances& around);
/// The statements and a small table, for a terminal.
[[nodiscard]] std::string report_text(const race_outcome& race);

/// "optimizer.learning_rate = 0.05", one for each change of an arm against the base.
[[nodiscard]] std::vector<std::string> changes_of(const race_arm& arm, const std::vector<path_value>& point);

/// All four files, in the race directory.
[[nodiscard]] result<void> write_reports(const race_outcome& race, const race_circumstances& around,
                                         const std::string& directory);

} // namespace triage
