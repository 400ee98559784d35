#include "apps/race/finals.hpp"

#include <algorithm>

namespace triage {

namespace {

std::optional<spread> spread_of(const std::vector<double>& values) {
  if (values.empty())
    return std::nullopt;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return spread{median(values), *low, *high};
}

template <class Value>
void add_row(const race_outcome& race, const std::string& name, std::vector<final_row>& out, Value value) {
  final_row row{name, {}};
  bool measured = false;
  for (const auto& arm : race.arms) {
    std::vector<double> values;
    for (const auto& run : arm.runs)
      if (const std::optional<double> v = value(run)) {
        values.push_back(*v);
        measured = measured || !run.failed;
      }
    row.arms.push_back(spread_of(values));
  }
  if (measured)
    out.push_back(std::move(row));
}

} // namespace

std::vector<final_row> final_rows(const race_outcome& race) {
  std::vector<final_row> out;
  for (const char* metric : {"train_loss", "test_loss", "test_accuracy", "test_balanced_accuracy"})
    add_row(race, metric, out, [&](const run_result& run) { return run.final_figure(metric); });
  for (const auto& [name, member] : {std::pair{"train_seconds", &run_result::train_seconds},
                                     std::pair{"samples_per_second", &run_result::samples_per_second},
                                     std::pair{"scoring_share", &run_result::scoring_share}}) {
    const auto field = member;
    add_row(race, name, out,
            [&](const run_result& run) { return run.failed ? std::nullopt : std::optional(run.*field); });
  }
  return out;
}

} // namespace triage
