#pragma once

#include "apps/race/spec.hpp"

#include <cstddef>
#include <optional>

namespace triage {

/// One combination of the values of a grid.
struct grid_point {
  std::string name; ///< "learning_rate=0.05": also its folder
  std::vector<path_value> values;
};

/// All combinations of an arm's grid, the last axis fastest; none without a grid.
[[nodiscard]] std::vector<grid_point> grid_points(const race_arm& arm);

/// The description of one run: the base, what the race prescribes, what the arm sets, and the grid point.
/// `remarks`: gets what they drop of the base.
[[nodiscard]] result<json_value> describe_run(const race_spec& spec, std::size_t arm,
                                              const std::vector<path_value>& point, std::int64_t seed,
                                              std::vector<std::string>* remarks = nullptr);

struct planned_run {
  std::size_t arm = 0;
  std::optional<std::size_t> point; ///< of the arm's grid: a tuning run
  std::int64_t seed = 0;
  std::string directory;   ///< within the race directory; the description is "<directory>.json" beside it
  std::string description; ///< the text of that file
  std::string label;       ///< for people: "pps seed 3"
};

/// The tuning runs: for each seed, the first point of all arms, then the second, …
[[nodiscard]] result<std::vector<planned_run>> plan_tuning(const race_spec& spec);

/// The race proper: the first seed of all arms, then the second, …, so that a slow phase of the machine hits
/// all arms alike. `chosen`: for each arm the values of its grid point, its own or taken over.
[[nodiscard]] result<std::vector<planned_run>> plan_race(const race_spec& spec,
                                                         const std::vector<std::vector<path_value>>& chosen);

} // namespace triage
