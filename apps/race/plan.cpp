#include "apps/race/plan.hpp"

#include "core/overrides.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace triage {

namespace {

/// "optimizer.learning_rate", 0.05 -> "learning_rate=0.05", in characters that file systems like.
std::string axis_text(const std::string& path, const json_value& value) {
  std::string out = path.substr(path.rfind('.') + 1) + "=";
  for (const char c : value.is_string() ? value.as_string() : dump_json(value))
    out += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '+' || c == '_'
               ? c
               : '_';
  return out;
}

result<void> apply(description_changes& changes, const path_value& change, const json_place& place) {
  json_value value = change.second;
  value.set_line_everywhere(0); // its lines are not those of the base
  auto set = changes.set(change.first, std::move(value));
  if (set.ok())
    return {};
  std::string problem = set.error().message;
  if (problem.rfind("--set ", 0) == 0)
    problem.erase(0, 6);
  return json_error(place, change.second, problem);
}

planned_run plan_one(const race_spec& spec, std::size_t arm, std::int64_t seed, const std::string& point) {
  const auto& name = spec.arms[arm].name;
  planned_run run;
  run.arm = arm;
  run.seed = seed;
  run.directory = point.empty() ? fmt::format("runs/{}/seed-{}", name, seed)
                                : fmt::format("runs/{}/{}/seed-{}", name, point, seed);
  run.label = point.empty() ? fmt::format("{} seed {}", name, seed)
                            : fmt::format("tuning {} {} seed {}", name, point, seed);
  return run;
}

} // namespace

std::vector<grid_point> grid_points(const race_arm& arm) {
  std::vector<grid_point> points;
  if (arm.grid.empty())
    return points;
  points.emplace_back();
  for (const auto& axis : arm.grid) {
    std::vector<grid_point> longer;
    for (const auto& p : points)
      for (const auto& value : axis.values) {
        auto next = p;
        next.values.emplace_back(axis.path, value);
        next.name += (next.name.empty() ? "" : ",") + axis_text(axis.path, value);
        longer.push_back(std::move(next));
      }
    points = std::move(longer);
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    auto& p = points[i];
    p.name.resize(std::min<std::size_t>(p.name.size(), 120));
    const bool taken = std::any_of(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(i),
                                   [&](const auto& q) { return q.name == p.name; });
    if (taken)
      p.name += fmt::format("-{}", i + 1);
  }
  return points;
}

result<json_value> describe_run(const race_spec& spec, std::size_t arm, const std::vector<path_value>& point,
                                std::int64_t seed, std::vector<std::string>* remarks) {
  const auto& a = spec.arms[arm];
  json_value document = spec.base;
  document.set("name", json_value(spec.name + "-" + a.name));
  description_changes changes(document);
  const json_place race{spec.base_source, ""};
  const path_value no_checkpoints{"checkpoint.every_epochs", json_value(0)};
  if (auto done = apply(changes, no_checkpoints, race); !done.ok())
    return done.error();
  const auto place = [&](const char* key, const std::string& path) {
    return json_place{spec.source, fmt::format("/arms/{}/{}/{}", arm, key, path)};
  };
  for (const auto& change : a.set)
    if (auto done = apply(changes, change, place("set", change.first)); !done.ok())
      return done.error();
  for (const auto& change : point)
    if (auto done = apply(changes, change, place(a.grid_of.empty() ? "grid" : "grid_of", change.first));
        !done.ok())
      return done.error();
  // An arm that replaces the whole group "checkpoint" or "evaluation" does not thereby ask for the defaults.
  if (const auto* group = document.find("checkpoint");
      group == nullptr || (group->is_object() && group->find("every_epochs") == nullptr))
    if (auto done = apply(changes, no_checkpoints, race); !done.ok())
      return done.error();
  if (auto done = apply(changes, {"evaluation.every_epochs", json_value(spec.evaluate_every_epochs)}, race);
      !done.ok())
    return done.error();
  document.set("seed", json_value(seed));
  if (remarks != nullptr)
    *remarks = changes.remarks();
  return document;
}

result<std::vector<planned_run>> plan_tuning(const race_spec& spec) {
  std::vector<std::vector<grid_point>> points;
  std::size_t most = 0;
  for (const auto& arm : spec.arms) {
    points.push_back(grid_points(arm));
    most = std::max(most, points.back().size());
  }
  std::vector<planned_run> plan;
  for (const auto seed : spec.tuning_seeds)
    for (std::size_t p = 0; p < most; ++p)
      for (std::size_t arm = 0; arm < spec.arms.size(); ++arm) {
        if (p >= points[arm].size() || points[arm].size() == 1)
          continue; // nothing to choose
        auto document = describe_run(spec, arm, points[arm][p].values, seed);
        if (!document.ok())
          return document.error();
        auto run = plan_one(spec, arm, seed, points[arm][p].name);
        run.point = p;
        run.description = dump_json(*document, 2) + "\n";
        plan.push_back(std::move(run));
      }
  return plan;
}

result<std::vector<planned_run>> plan_race(const race_spec& spec,
                                           const std::vector<std::vector<path_value>>& chosen) {
  std::vector<planned_run> plan;
  for (const auto seed : spec.seeds)
    for (std::size_t arm = 0; arm < spec.arms.size(); ++arm) {
      auto document = describe_run(spec, arm, chosen[arm], seed);
      if (!document.ok())
        return document.error();
      auto run = plan_one(spec, arm, seed, "");
      run.description = dump_json(*document, 2) + "\n";
      plan.push_back(std::move(run));
    }
  return plan;
}

} // namespace triage
