#pragma once

#include "apps/race/crossing.hpp"
#include "apps/race/statistics.hpp"
#include "apps/race/tuning.hpp"

#include <array>

namespace triage {

struct arm_outcome {
  std::vector<path_value> point; ///< the values of the grid point, its own or taken over
  std::vector<run_result> runs;  ///< in the order of the seeds
};

/// What reaching a figure costs, three ways.
enum class race_cost { seconds, samples, compute_seconds };
constexpr std::array<race_cost, 3> race_costs = {race_cost::seconds, race_cost::samples,
                                                 race_cost::compute_seconds};
[[nodiscard]] std::string to_string(race_cost cost); ///< "seconds", "gradient_samples", "compute_seconds"
[[nodiscard]] double cost_of(const std::optional<crossing>& c, race_cost cost); ///< not_reached without one

struct cost_outcome {
  std::vector<double> values; ///< one per seed; not_reached where it was not
  double middle = not_reached;
  double best = not_reached;
  double worst = not_reached;
  std::optional<double> ratio; ///< median of the baseline / median of this arm; none when neither gets there
  std::optional<interval> bounds;
  /// What the ratio is at least, where the median seed of the baseline does not get there and that of this
  /// arm does: seeds that miss the figure count with all that their runs cost.
  std::optional<double> at_least;
  /// Seed by seed against the baseline: in how many of the pairs this arm is sooner.
  std::size_t pairs = 0;
  std::size_t sooner = 0;
};

struct arm_target {
  std::vector<std::optional<crossing>> crossings; ///< one per seed
  std::size_t reached = 0;
  std::array<cost_outcome, race_costs.size()> costs; ///< in the order of race_costs
};

struct target_outcome {
  race_target target;
  std::optional<double> value; ///< nothing when the baseline never measured it, or failed
  std::vector<arm_target> arms;
  std::vector<std::string> statements; ///< one per arm beside the baseline, for people
};

struct race_outcome {
  race_spec spec;
  std::vector<tuning_outcome> tuning;
  std::vector<arm_outcome> arms;
  std::vector<target_outcome> targets;
  std::vector<std::string> remarks; ///< what a reader must know before believing the figures
  [[nodiscard]] std::size_t failed_runs() const;
};

/// Computes the targets and remarks from the runs, tuning and specification that are in `race` already.
void analyse(race_outcome& race);

/// The value that a target asks for, given the baseline's runs.
[[nodiscard]] std::optional<double> target_value(const race_target& target, const arm_outcome& baseline);

/// Median over seeds at each evaluation, and the range; costs are medians too. A run that ended early is
/// left out of the evaluations that it has not got; the band ends where fewer than half of them are left.
struct band_point {
  double epoch = 0.0;
  double seconds = 0.0;
  double samples = 0.0;
  double middle = 0.0;
  double low = 0.0;
  double high = 0.0;
};
[[nodiscard]] std::vector<band_point> median_curve(const std::vector<run_result>& runs,
                                                   std::string_view metric);

} // namespace triage
