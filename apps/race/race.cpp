#include "apps/race/race.hpp"

#include "actors/run_setup.hpp"
#include "apps/race/runner.hpp"
#include "core/directory_lock.hpp"
#include "core/files.hpp"

#include <cstdio>
#include <fmt/format.h>

namespace triage {

namespace {

/// The grid points that an arm may end up with: its own, the other arm's, or just none.
std::vector<std::vector<path_value>> candidates(const race_spec& spec, const race_arm& arm) {
  std::vector<std::vector<path_value>> out;
  for (auto& p : grid_points(arm.grid_of.empty() ? arm : *spec.find_arm(arm.grid_of)))
    out.push_back(std::move(p.values));
  if (out.empty())
    out.emplace_back();
  if (!arm.grid_of.empty())
    out.resize(1); // the others differ in values that are checked with the arm that owns the grid
  return out;
}

result<void> check_cores(const race_spec& spec) {
  const auto available = static_cast<std::int64_t>(available_cores().size());
  if (spec.cores * spec.parallel <= available)
    return {};
  return json_error(
      {spec.source, "/cores"}, json_value(),
      fmt::format("{} runs at a time with {} cores each need {} cores, and this process has {}; runs that "
                  "share cores would not be comparable",
                  spec.parallel, spec.cores, spec.parallel * spec.cores, available));
}

/// For each arm the values of the point that was chosen, its own or taken over.
std::vector<std::vector<path_value>> chosen_points(const race_spec& spec,
                                                   const std::vector<tuning_outcome>& tuning) {
  std::vector<std::vector<path_value>> chosen(spec.arms.size());
  for (std::size_t i = 0; i < spec.arms.size(); ++i)
    if (const auto points = grid_points(spec.arms[i]); !points.empty())
      chosen[i] = points.front().values; // of one; with more, tuning decides
  for (const auto& t : tuning)
    chosen[t.arm] = t.points[t.chosen].point.values;
  for (std::size_t i = 0; i < spec.arms.size(); ++i)
    if (!spec.arms[i].grid_of.empty())
      chosen[i] = chosen[arm_index(spec, spec.arms[i].grid_of)];
  return chosen;
}

std::vector<tuning_outcome> read_tuning(const race_spec& spec, const std::string& directory,
                                        const std::vector<planned_run>& plan) {
  std::vector<tuning_outcome> out;
  for (std::size_t i = 0; i < spec.arms.size(); ++i) {
    tuning_outcome t;
    t.arm = i;
    for (auto& p : grid_points(spec.arms[i]))
      t.points.push_back({std::move(p), {}, {}, 0.0});
    if (t.points.size() < 2)
      continue;
    for (const auto& run : plan)
      if (run.arm == i)
        t.points[*run.point].runs.push_back(read_run_result(directory, run.directory, run.seed));
    choose_point(spec, t);
    out.push_back(std::move(t));
  }
  return out;
}

/// A race, or the choice of an arm's options, by a figure that its runs do not have.
result<void> check_metrics(const race_spec& spec, const race_arm& arm, const run_setup& setup) {
  const auto refuse = [&](const std::string& where, const std::string& metric, const std::string& why) {
    return configuration_error(fmt::format("{}, {}: arm \"{}\" never measures \"{}\": {}", spec.source, where,
                                           arm.name, metric, why));
  };
  if (!arm.grid.empty())
    if (const auto why = setup.why_unmeasured(spec.tuning_metric); !why.empty())
      return refuse("/tuning/metric", spec.tuning_metric, why);
  for (std::size_t i = 0; i < spec.targets.size(); ++i)
    if (const auto why = setup.why_unmeasured(spec.targets[i].metric); !why.empty())
      return refuse(fmt::format("/targets/{}/metric", i), spec.targets[i].metric, why);
  return {};
}

} // namespace

result<void> check_race(const race_spec& spec, const std::string& directory) {
  if (auto enough = check_cores(spec); !enough.ok())
    return enough;
  json_value::array descriptions;
  std::vector<std::size_t> arms;
  std::string remarks;
  for (std::size_t i = 0; i < spec.arms.size(); ++i)
    for (const auto& point : candidates(spec, spec.arms[i])) {
      std::vector<std::string> dropped;
      auto description = describe_run(spec, i, point, spec.seeds.front(), &dropped);
      if (!description.ok())
        return description.error();
      for (const auto& remark : dropped)
        if (arms.empty() || arms.back() != i)
          remarks += fmt::format("arm \"{}\": {}\n", spec.arms[i].name, remark);
      descriptions.push_back(description.take());
      arms.push_back(i);
    }
  // Loading the data for every description takes its time: a race that goes on has done this already.
  const std::string file = directory + "/checked.txt";
  std::string text = dump_json(json_value(descriptions), 1) + "\n" + spec.tuning_metric + "\n";
  for (const auto& t : spec.targets)
    text += t.metric + "\n";
  if (const auto before = read_file(file, text.size()); before.ok() && *before == text)
    return {};
  std::fprintf(stderr, "%s", remarks.c_str());
  for (std::size_t i = 0; i < descriptions.size(); ++i) {
    const auto& arm = spec.arms[arms[i]];
    const auto setup = prepare_run(descriptions[i], spec.base_source);
    if (!setup.ok())
      return with_context(setup.error(), fmt::format("arm \"{}\"", arm.name));
    if (auto fine = check_metrics(spec, arm, **setup); !fine.ok())
      return fine;
  }
  return write_file_atomic(file, text);
}

result<std::optional<race_outcome>> conduct_race(const race_spec& spec, const std::string& directory,
                                                 const std::stop_token& stop) {
  const auto lock = directory_lock::take(
      directory, "another race is running in this directory; wait for it, or choose another with --dir");
  if (!lock.ok())
    return lock.error();
  if (auto fine = check_race(spec, directory); !fine.ok())
    return fine.error();
  const auto tuning_plan = plan_tuning(spec);
  if (!tuning_plan.ok())
    return tuning_plan.error();
  race_runner runner({directory, spec.cores, spec.parallel,
                      tuning_plan->size() + spec.arms.size() * spec.seeds.size(), stop});
  if (auto done = runner.run(*tuning_plan); !done.ok())
    return done.error();
  if (runner.stopped())
    return std::optional<race_outcome>();
  race_outcome race;
  race.spec = spec;
  race.tuning = read_tuning(spec, directory, *tuning_plan);
  const auto chosen = chosen_points(spec, race.tuning);
  const auto plan = plan_race(spec, chosen);
  if (!plan.ok())
    return plan.error();
  if (auto done = runner.run(*plan); !done.ok())
    return done.error();
  if (runner.stopped())
    return std::optional<race_outcome>();
  for (std::size_t i = 0; i < spec.arms.size(); ++i)
    race.arms.push_back({chosen[i], {}});
  for (const auto& run : *plan) // ordered by seed
    race.arms[run.arm].runs.push_back(read_run_result(directory, run.directory, run.seed));
  analyse(race);
  return std::optional<race_outcome>(std::move(race));
}

} // namespace triage
