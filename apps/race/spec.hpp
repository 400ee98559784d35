#pragma once

#include "core/options.hpp"
#include "core/result.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace triage {

/// A dotted path into a run description, and what to put there.
using path_value = std::pair<std::string, json_value>;

/// One axis of a tuning grid.
struct grid_axis {
  std::string path;
  std::vector<json_value> values;
};

/// One recipe of a race: the base description with some values changed.
struct race_arm {
  std::string name;
  std::vector<path_value> set;
  std::vector<grid_axis> grid;
  std::string grid_of; ///< takes over what was chosen for the arm of this name; empty: nothing
};

/// Where the figure to reach comes from.
enum class target_rule { given, final_median, best_median };

struct race_target {
  std::string metric;
  target_rule rule = target_rule::given;
  double value = 0.0; ///< meaningful when given
};

/// What a race compares and how; the first arm is the baseline. Read by read_race_spec, which guarantees that
/// names are unique and safe as file names, that references hold, and that there is something to run.
struct race_spec {
  std::int64_t schema_version = 1;
  std::string name = "race";
  std::string source;      ///< where the specification came from, for messages
  json_value base;         ///< a whole run description
  std::string base_source; ///< where that came from
  std::vector<std::int64_t> seeds = {1, 2, 3, 4, 5};
  std::int64_t cores = 1;
  std::int64_t parallel = 1;
  double evaluate_every_epochs = 0.25;
  std::vector<std::int64_t> tuning_seeds;
  std::string tuning_metric = "train_loss";
  std::vector<race_arm> arms;
  std::vector<race_target> targets;

  [[nodiscard]] const race_arm* find_arm(const std::string& arm) const;
};

/// The index of an arm that the specification has.
[[nodiscard]] std::size_t arm_index(const race_spec& spec, const std::string& arm);

/// Reads a specification; `source` names it in messages, and a base given as a path is relative to it.
[[nodiscard]] result<race_spec> read_race_spec(const json_value& document, const std::string& source);

/// Reads a specification file with "path=value" overrides. Overrides may step into the base also when that
/// is a file.
[[nodiscard]] result<race_spec> load_race_spec(const std::string& file,
                                               const std::vector<std::string>& overrides);

/// One part of the format ("Race", "Arm", "Target") with its options, for the reference in docs/race.md.
struct spec_section {
  std::string title;
  std::vector<option_row> rows;
};
[[nodiscard]] std::vector<spec_section> describe_race_spec();

} // namespace triage
