#include "apps/race/tuning.hpp"

#include "apps/race/metric.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

/// A best value at the end of its axis says that the grid is too short, not that the value is good.
std::string edge_remark(const race_arm& arm, const grid_point& chosen) {
  for (std::size_t i = 0; i < arm.grid.size(); ++i) {
    const auto& axis = arm.grid[i];
    const auto numeric = [](const json_value& v) { return v.is_number(); };
    if (axis.values.size() < 2 || !std::all_of(axis.values.begin(), axis.values.end(), numeric))
      continue;
    const auto less = [](const json_value& a, const json_value& b) { return a.as_number() < b.as_number(); };
    const auto [low, high] = std::minmax_element(axis.values.begin(), axis.values.end(), less);
    const double value = chosen.values[i].second.as_number();
    if (value == low->as_number() || value == high->as_number())
      return fmt::format("{} of {} lies at the edge of its grid ({}): a wider grid may find a better one",
                         axis.path, arm.name, value);
  }
  return {};
}

} // namespace

void choose_point(const race_spec& spec, tuning_outcome& tuning) {
  const auto& metric = spec.tuning_metric;
  for (auto& p : tuning.points) {
    p.figures.clear();
    for (const auto& run : p.runs)
      p.figures.push_back(run.final_figure(metric).value_or(worst_value(metric)));
    p.mean = 0.0;
    for (const double v : p.figures)
      p.mean += v / static_cast<double>(p.figures.size());
  }
  tuning.chosen = 0;
  for (std::size_t i = 1; i < tuning.points.size(); ++i)
    if (!at_least_as_good(metric, tuning.points[tuning.chosen].mean, tuning.points[i].mean))
      tuning.chosen = i;
  const auto& arm = spec.arms[tuning.arm];
  const auto& best = tuning.points[tuning.chosen];
  tuning.remark =
      std::isinf(best.mean)
          ? fmt::format("every point of {}'s grid failed or was not measured; the first one races", arm.name)
          : edge_remark(arm, best.point);
}

} // namespace triage
