#pragma once

#include "apps/race/outcome.hpp"

#include <string>

namespace triage {

/// What stands along the horizontal axis of a chart.
enum class chart_cost { seconds, samples };

/// An SVG of a metric's median curves with bands from the smallest to the largest seed, one for each arm, and
/// dashed lines at the race's targets. Empty when no arm measured the metric.
[[nodiscard]] std::string curve_chart(const race_outcome& race, std::string_view metric, chart_cost cost);

/// An SVG of the ratios of a target's seconds with their intervals, one line for each arm beside the
/// baseline. Empty when there is nothing finite to show.
[[nodiscard]] std::string ratio_chart(const race_outcome& race, const target_outcome& target);

/// "var(--arm-1)".
[[nodiscard]] std::string arm_colour(std::size_t arm);

} // namespace triage
