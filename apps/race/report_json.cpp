#include "apps/race/endings.hpp"
#include "apps/race/finals.hpp"
#include "apps/race/report.hpp"
#include "apps/race/statements.hpp"

#include <cmath>

namespace triage {

namespace {

json_value list(const std::vector<std::string>& texts) {
  return json_value(json_value::array(texts.begin(), texts.end()));
}

json_value values(const std::vector<path_value>& changes) {
  json_value out{json_value::object{}};
  for (const auto& [path, value] : changes)
    out.set(path, value);
  return out;
}

/// JSON has no infinity, and a bound that is one is not the same as no bound.
json_value bound(double v) {
  return std::isinf(v) ? json_value("infinity") : json_value(v);
}

json_value cost_json(const cost_outcome& cost) {
  json_value out;
  out.set("median", json_value(cost.middle)); // null: not reached
  out.set("min", json_value(cost.best));
  out.set("max", json_value(cost.worst));
  out.set("ratio", cost.ratio ? bound(*cost.ratio) : json_value());
  out.set("ratio_at_least", cost.at_least ? json_value(*cost.at_least) : json_value());
  out.set("interval_95",
          cost.bounds ? json_value(json_value::array{bound(cost.bounds->low), bound(cost.bounds->high)})
                      : json_value());
  out.set("pairs", json_value(std::uint64_t{cost.pairs}));
  out.set("sooner_in_pairs", json_value(std::uint64_t{cost.sooner}));
  return out;
}

json_value ending_json(const race_outcome& race, const ending& e) {
  json_value out;
  out.set("arm", json_value(race.spec.arms[e.arm].name));
  out.set("metric", json_value(e.metric));
  out.set("pairs", json_value(std::uint64_t{e.pairs}));
  out.set("difference", json_value(e.difference));
  out.set("interval_95",
          e.bounds ? json_value(json_value::array{json_value(e.bounds->low), json_value(e.bounds->high)})
                   : json_value());
  out.set("share_of_seconds", json_value(e.time_share));
  out.set("statement", json_value(to_sentence(race, e)));
  return out;
}

json_value target_json(const race_outcome& race, const target_outcome& target) {
  json_value out;
  constexpr const char* rules[] = {"given", "final_median_of_first_arm", "best_median_of_first_arm"};
  out.set("metric", json_value(target.target.metric));
  out.set("rule", json_value(rules[static_cast<std::size_t>(target.target.rule)]));
  out.set("value", target.value ? json_value(*target.value) : json_value());
  out.set("statements", list(target.statements));
  json_value::array arms;
  for (std::size_t i = 0; i < target.arms.size(); ++i) {
    const auto& arm = target.arms[i];
    json_value a;
    a.set("arm", json_value(race.spec.arms[i].name));
    a.set("reached", json_value(std::uint64_t{arm.reached}));
    for (std::size_t c = 0; c < race_costs.size(); ++c)
      a.set(to_string(race_costs[c]), cost_json(arm.costs[c]));
    json_value::array seeds;
    for (std::size_t s = 0; s < arm.crossings.size(); ++s) {
      json_value one;
      one.set("seed", json_value(race.spec.seeds[s]));
      for (const auto cost : race_costs)
        one.set(to_string(cost), json_value(cost_of(arm.crossings[s], cost)));
      one.set("at_first_evaluation", json_value(arm.crossings[s] && arm.crossings[s]->at_first_evaluation));
      seeds.push_back(std::move(one));
    }
    a.set("seeds", json_value(std::move(seeds)));
    arms.push_back(std::move(a));
  }
  out.set("arms", json_value(std::move(arms)));
  return out;
}

json_value run_json(const run_result& run, bool with_curve) {
  json_value out;
  out.set("seed", json_value(run.seed));
  out.set("directory", json_value(run.directory));
  out.set("failed", json_value(run.failed));
  if (run.failed)
    out.set("problem", json_value(run.problem));
  out.set("train_seconds", json_value(run.train_seconds));
  out.set("samples_per_second", json_value(run.samples_per_second));
  out.set("scoring_share", json_value(run.scoring_share));
  out.set("data_fingerprint", json_value(run.data_fingerprint));
  if (!with_curve)
    return out;
  json_value::array points;
  for (const auto& p : run.points) {
    json_value one;
    one.set("epoch", json_value(p.epoch));
    one.set("seconds", json_value(p.seconds));
    one.set("gradient_samples", json_value(p.samples));
    one.set("samples_scored", json_value(p.scored));
    one.set("compute_seconds", json_value(p.compute_seconds));
    for (const auto& [name, value] : p.figures)
      one.set(name, json_value(value));
    points.push_back(std::move(one));
  }
  out.set("curve", json_value(std::move(points)));
  return out;
}

json_value tuning_json(const race_outcome& race, const tuning_outcome& tuning) {
  json_value out;
  out.set("arm", json_value(race.spec.arms[tuning.arm].name));
  out.set("chosen", json_value(tuning.points[tuning.chosen].point.name));
  json_value::array points;
  for (const auto& p : tuning.points) {
    json_value one;
    one.set("name", json_value(p.point.name));
    one.set("values", values(p.point.values));
    one.set("mean", json_value(p.mean)); // null: failed
    json_value::array figures;
    for (const double v : p.figures)
      figures.emplace_back(v);
    one.set("figures", json_value(std::move(figures)));
    json_value::array runs;
    for (const auto& run : p.runs)
      runs.push_back(run_json(run, false));
    one.set("runs", json_value(std::move(runs)));
    points.push_back(std::move(one));
  }
  out.set("points", json_value(std::move(points)));
  return out;
}

json_value arm_json(const race_outcome& race, std::size_t index, const std::vector<final_row>& finals) {
  const auto& arm = race.spec.arms[index];
  json_value out;
  out.set("name", json_value(arm.name));
  out.set("set", values(arm.set));
  out.set("grid_point", values(race.arms[index].point));
  if (!arm.grid_of.empty())
    out.set("grid_of", json_value(arm.grid_of));
  json_value figures;
  for (const auto& row : finals) {
    const auto& s = row.arms[index];
    json_value one;
    if (s) {
      one.set("median", json_value(s->middle));
      one.set("min", json_value(s->low));
      one.set("max", json_value(s->high));
    }
    figures.set(row.name, std::move(one));
  }
  out.set("final", std::move(figures));
  json_value::array runs;
  for (const auto& run : race.arms[index].runs)
    runs.push_back(run_json(run, true));
  out.set("runs", json_value(std::move(runs)));
  return out;
}

} // namespace

json_value report_json(const race_outcome& race, const race_circumstances& around) {
  json_value out;
  out.set("schema_version", json_value(1));
  out.set("name", json_value(race.spec.name));
  out.set("finished", json_value(around.finished));
  out.set("failed_runs", json_value(std::uint64_t{race.failed_runs()}));
  out.set("machine", around.machine);
  out.set("build", around.build);
  out.set("cores", json_value(race.spec.cores));
  out.set("parallel", json_value(race.spec.parallel));
  out.set("evaluate_every_epochs", json_value(race.spec.evaluate_every_epochs));
  out.set("seeds", json_value(json_value::array(race.spec.seeds.begin(), race.spec.seeds.end())));
  out.set("remarks", list(race.remarks));
  out.set("caveats", list(caveats()));
  json_value::array targets;
  for (const auto& target : race.targets)
    targets.push_back(target_json(race, target));
  out.set("targets", json_value(std::move(targets)));
  json_value::array ends;
  for (const auto& e : endings(race))
    ends.push_back(ending_json(race, e));
  out.set("endings", json_value(std::move(ends)));
  json_value tuning;
  tuning.set("seeds",
             json_value(json_value::array(race.spec.tuning_seeds.begin(), race.spec.tuning_seeds.end())));
  tuning.set("metric", json_value(race.spec.tuning_metric));
  json_value::array tuned;
  for (const auto& t : race.tuning)
    tuned.push_back(tuning_json(race, t));
  tuning.set("arms", json_value(std::move(tuned)));
  out.set("tuning", std::move(tuning));
  const auto finals = final_rows(race);
  json_value::array arms;
  for (std::size_t i = 0; i < race.arms.size(); ++i)
    arms.push_back(arm_json(race, i, finals));
  out.set("arms", json_value(std::move(arms)));
  out.set("base", race.spec.base);
  return out;
}

} // namespace triage
