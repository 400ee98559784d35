#include "apps/race/spec.hpp"

#include "apps/race/metric.hpp"
#include "apps/race/spec_fields.hpp"
#include "core/overrides.hpp"
#include "core/registry.hpp"
#include "core/run_config.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr std::array<std::string_view, 2> rules = {"final_median_of_first_arm", "best_median_of_first_arm"};

/// Names become folders.
bool is_safe_name(const std::string& name) {
  return !name.empty() && name.size() <= 60 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ||
                  c == '+';
         });
}

error unsafe_name(const json_place& place, const json_value& at, const std::string& name) {
  return json_error(
      place, at,
      fmt::format("\"{}\" cannot be the name of a folder: use up to 60 letters, digits, and - _ . +, "
                  "with no dot in front",
                  name));
}

/// Values that the race decides, the same for all arms.
result<void> check_path(const std::string& path, const json_place& place, const json_value& at) {
  if (path == "seed")
    return json_error(place, at, "the race sets the seed of every run; list them in /seeds");
  if (path == "evaluation.every_epochs")
    return json_error(place, at,
                      "the race evaluates all arms alike; use /evaluate_every_epochs of the specification");
  return {};
}

result<race_arm> read_arm(const json_value& document, const json_place& place) {
  arm_fields f;
  if (auto read = read_options(document, place, [&](option_visitor& v) { f.visit(v); }); !read.ok())
    return read.error();
  if (!is_safe_name(f.name))
    return unsafe_name({place.source, place.pointer + "/name"}, *document.find("name"), f.name);
  race_arm arm;
  arm.name = f.name;
  arm.grid_of = f.grid_of;
  for (const auto& [key, part] : {std::pair{"set", &f.set}, std::pair{"grid", &f.grid}})
    if (!part->is_object())
      return json_error({place.source, fmt::format("{}/{}", place.pointer, key)}, *part,
                        fmt::format("must be an object of dotted paths, not {}", part->type_name()));
  for (const auto& [path, value] : f.set.as_object()) {
    if (auto fine = check_path(path, {place.source, place.pointer + "/set/" + path}, value); !fine.ok())
      return fine.error();
    arm.set.emplace_back(path, value);
  }
  for (const auto& [path, values] : f.grid.as_object()) {
    const json_place here{place.source, place.pointer + "/grid/" + path};
    if (auto fine = check_path(path, here, values); !fine.ok())
      return fine.error();
    if (!values.is_array() || values.as_array().empty())
      return json_error(here, values, "must be an array of at least one value to try");
    if (f.set.find(path) != nullptr)
      return json_error(here, values, "is also in \"set\"; a value is either fixed or tuned");
    arm.grid.push_back({path, values.as_array()});
  }
  return arm;
}

result<race_target> read_target(const json_value& document, const json_place& place) {
  target_fields f;
  if (auto read = read_options(document, place, [&](option_visitor& v) { f.visit(v); }); !read.ok())
    return read.error();
  race_target target;
  target.metric = f.metric;
  const json_place here{place.source, place.pointer + "/value"};
  if (f.value.is_number()) {
    target.value = f.value.as_number();
    return target;
  }
  if (!f.value.is_string())
    return json_error(
        here, f.value,
        fmt::format("must be a number or one of {}, not {}", join_names(rules), f.value.type_name()));
  const auto at = std::find(rules.begin(), rules.end(), f.value.as_string());
  if (at == rules.end())
    return json_error(here, f.value, unknown_name_error("rule", f.value.as_string(), rules).message);
  target.rule = at == rules.begin() ? target_rule::final_median : target_rule::best_median;
  return target;
}

/// What can only be said when all arms are known.
result<void> check_arms(const race_spec& spec, const json_value& document) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < spec.arms.size(); ++i) {
    const auto& arm = spec.arms[i];
    const json_value& at = document.find("arms")->as_array()[i];
    const json_place place{spec.source, fmt::format("/arms/{}", i)};
    if (std::find(names.begin(), names.end(), arm.name) != names.end())
      return json_error({spec.source, place.pointer + "/name"}, at,
                        fmt::format("a second arm is called \"{}\"", arm.name));
    names.emplace_back(arm.name);
    std::size_t points = 1;
    for (const auto& axis : arm.grid)
      points *= axis.values.size();
    if (points > 1000)
      return json_error({spec.source, place.pointer + "/grid"}, at,
                        fmt::format("has {} combinations; 1000 are the most", points));
    if (points > 1 && spec.tuning_seeds.empty())
      return json_error(
          {spec.source, place.pointer + "/grid"}, at,
          "has several combinations, and /tuning/seeds is empty: nothing would choose among them");
  }
  for (std::size_t i = 0; i < spec.arms.size(); ++i) {
    const auto& arm = spec.arms[i];
    if (arm.grid_of.empty())
      continue;
    const json_value& at = document.find("arms")->as_array()[i];
    const json_place place{spec.source, fmt::format("/arms/{}/grid_of", i)};
    const race_arm* other = spec.find_arm(arm.grid_of);
    if (other == nullptr)
      return json_error(place, at, unknown_name_error("arm", arm.grid_of, names).message);
    if (!arm.grid.empty())
      return json_error(place, at, "an arm has a grid of its own or that of another, not both");
    if (other->grid.empty())
      return json_error(place, at, fmt::format("the arm \"{}\" has no grid of its own", arm.grid_of));
    for (const auto& axis : other->grid)
      for (const auto& [path, value] : arm.set)
        if (path == axis.path)
          return json_error(
              place, at,
              fmt::format("\"{}\" is in \"set\", and the grid of \"{}\" decides it", path, other->name));
  }
  return {};
}

result<void> check_seeds(const std::vector<std::int64_t>& seeds, const json_place& place,
                         const json_value& at) {
  auto sorted = seeds;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    return json_error(place, at, "lists a seed twice; the second run would be the same as the first");
  return {};
}

result<json_value> read_base(const json_value& base, const std::string& source, std::string& base_source) {
  if (base.is_object()) {
    base_source = source;
    return base;
  }
  if (!base.is_string())
    return json_error({source, "/base"}, base,
                      fmt::format("must be a path or a run description, not {}", base.type_name()));
  base_source = (std::filesystem::path(source).parent_path() / base.as_string()).string();
  auto document = read_json_file(base_source);
  if (!document.ok())
    return json_error({source, "/base"}, base, document.error().message);
  return document;
}

/// Reads an array of parts with one function for each.
template <class T, class Read>
result<std::vector<T>> read_list(const json_value& list, const json_place& place, const char* what,
                                 Read read) {
  if (!list.is_array() || list.as_array().empty())
    return json_error(place, list, fmt::format("must be an array of at least one {}", what));
  std::vector<T> out;
  for (std::size_t i = 0; i < list.as_array().size(); ++i) {
    auto part = read(list.as_array()[i], json_place{place.source, fmt::format("{}/{}", place.pointer, i)});
    if (!part.ok())
      return part.error();
    out.push_back(part.take());
  }
  return out;
}

} // namespace

const race_arm* race_spec::find_arm(const std::string& arm) const {
  const auto at = std::find_if(arms.begin(), arms.end(), [&](const auto& a) { return a.name == arm; });
  return at == arms.end() ? nullptr : &*at;
}

std::size_t arm_index(const race_spec& spec, const std::string& arm) {
  return static_cast<std::size_t>(spec.find_arm(arm) - spec.arms.data());
}

result<race_spec> read_race_spec(const json_value& document, const std::string& source) {
  race_fields f;
  if (auto read = read_options(document, {source, ""}, [&](option_visitor& v) { f.visit(v); }, {"$schema"});
      !read.ok())
    return read.error();
  race_spec spec = std::move(f.values);
  spec.source = source;
  const auto member = [&](const char* name) -> const json_value& {
    const json_value* at = document.find(name);
    return at == nullptr ? document : *at;
  };
  if (!is_safe_name(spec.name))
    return unsafe_name({source, "/name"}, member("name"), spec.name);
  if (spec.seeds.empty())
    return json_error({source, "/seeds"}, member("seeds"),
                      "must list at least one seed; five or more say something");
  if (auto fine = check_seeds(spec.seeds, {source, "/seeds"}, member("seeds")); !fine.ok())
    return fine.error();
  if (auto fine = check_seeds(spec.tuning_seeds, {source, "/tuning/seeds"}, member("tuning")); !fine.ok())
    return fine.error();
  auto base = read_base(f.base, source, spec.base_source);
  if (!base.ok())
    return base.error();
  spec.base = base.take();
  auto arms = read_list<race_arm>(f.arms, {source, "/arms"}, "arm", read_arm);
  if (!arms.ok())
    return arms.error();
  spec.arms = arms.take();
  auto targets = read_list<race_target>(f.targets, {source, "/targets"}, "target", read_target);
  if (!targets.ok())
    return targets.error();
  spec.targets = targets.take();
  if (auto fine = check_arms(spec, document); !fine.ok())
    return fine.error();
  return spec;
}

result<race_spec> load_race_spec(const std::string& file, const std::vector<std::string>& overrides) {
  auto document = read_json_file(file);
  if (!document.ok())
    return document.error();
  std::string base_source;
  const bool into_base =
      std::any_of(overrides.begin(), overrides.end(), [](const auto& o) { return o.rfind("base.", 0) == 0; });
  if (const json_value* base = document->find("base"); into_base && base != nullptr && base->is_string()) {
    auto read = read_base(*base, file, base_source);
    if (!read.ok())
      return read.error();
    document->set("base", read.take());
  }
  const auto remarks = apply_overrides(*document, overrides);
  if (!remarks.ok())
    return remarks.error();
  for (const auto& remark : *remarks)
    std::fprintf(stderr, "triage: --set %s\n", remark.c_str());
  auto spec = read_race_spec(*document, file);
  if (spec.ok() && !base_source.empty())
    spec->base_source = base_source;
  return spec;
}

} // namespace triage
