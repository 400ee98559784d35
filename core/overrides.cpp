#include "core/overrides.hpp"

#include "core/excerpt.hpp"
#include "core/registry.hpp"
#include "core/run_config.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace triage {

namespace {

bool names_a_component(std::string_view key) {
  constexpr std::array<std::string_view, 3> keys = {"type", "policy", "format"};
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// The name of the component that a description or a bare string is of; empty: none.
std::string name_of(const json_value& component, std::string_view key) {
  const json_value* name = component.is_string() ? &component : component.find(key);
  return name != nullptr && name->is_string() ? name->as_string() : "";
}

bool names_another(const json_value& old, std::string_view key, const json_value& name) {
  const auto before = name_of(old, key);
  return !before.empty() && name.is_string() && (old.is_string() || name.as_string() != before);
}

/// Where a description has components whose options can be set one by one.
bool is_component_place(std::string_view at) {
  constexpr std::array<std::string_view, 6> members = {"loss",     "optimizer", "schedule",
                                                       "sampling", "model",     "augmentation"};
  return at == "runtime.exchange" || at.starts_with("runtime.exchange.") ||
         std::find(members.begin(), members.end(), at.substr(0, at.find('.'))) != members.end();
}
std::string_view naming_key(std::string_view at) {
  return at == "runtime.exchange" ? "policy" : "type";
}

} // namespace

result<void> description_changes::open_components(const std::string& path) {
  for (auto dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1)) {
    const std::string at = path.substr(0, dot);
    if (!is_component_place(at) || path.substr(dot + 1) == naming_key(at))
      continue;
    json_value* const there = find_json_path(document_, at);
    json_value defaults = there == nullptr ? write_run_config({}) : json_value();
    const json_value* const component = there != nullptr ? there : find_json_path(defaults, at);
    if (component == nullptr || (there != nullptr && !there->is_string()))
      continue;
    json_value opened = *component;
    if (opened.is_string())
      opened = json_value(json_value::object{{std::string(naming_key(at)), *component}});
    if (opened.is_object())
      if (auto done = set_json_path(document_, at, std::move(opened)); !done.ok())
        return done;
  }
  return {};
}

result<void> description_changes::set(const std::string& path, json_value value) {
  if (auto opened = open_components(path); !opened.ok())
    return opened;
  const auto dot = path.rfind('.');
  if (dot != std::string::npos && names_a_component(std::string_view(path).substr(dot + 1))) {
    const std::string at = path.substr(0, dot);
    const std::string key = path.substr(dot + 1);
    json_value* const old = at.empty() ? nullptr : find_json_path(document_, at);
    if (old != nullptr && names_another(*old, key, value))
      if (auto done = replace_component(*old, at, key, value); !done.ok())
        return done;
  }
  if (auto done = set_json_path(document_, path, value); !done.ok())
    return done;
  changes_.emplace_back(path, std::move(value));
  return {};
}

result<void> description_changes::replace_component(json_value& old, const std::string& at,
                                                    const std::string& key, const json_value& name) {
  replacement done{at, key, name_of(old, key), name.as_string(), {}};
  if (old.is_object())
    for (const auto& [member, value] : old.as_object())
      if (member != key)
        done.options.push_back(member);
  replacements_.push_back(std::move(done));
  old = json_value(json_value::object{{key, name}});
  const std::string below = at + ".";
  const std::string naming = below + key;
  for (const auto& [path, value] : changes_)
    if (path.starts_with(below) && path != naming)
      if (auto again = set_json_path(document_, path, value); !again.ok())
        return again;
  return {};
}

std::vector<std::string> description_changes::remarks() const {
  std::vector<std::string> out;
  for (const auto& r : replacements_) {
    std::vector<std::string> dropped;
    for (const auto& option : r.options)
      if (find_json_path(document_, fmt::format("{}.{}", r.at, option)) == nullptr)
        dropped.push_back(excerpt(option));
    if (!dropped.empty())
      out.push_back(fmt::format("{}.{}={} takes the place of {}, whose options were dropped: {}; what is not "
                                "set as well is the default of {}",
                                r.at, r.key, excerpt(r.after), quoted_excerpt(r.before), join_names(dropped),
                                quoted_excerpt(r.after)));
  }
  return out;
}

result<std::vector<std::string>> apply_overrides(json_value& document,
                                                 const std::vector<std::string>& overrides) {
  description_changes changes(document);
  for (const auto& text : overrides) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return configuration_error(fmt::format(
          "--set {}: must have the form path=value, e.g. --set optimizer.learning_rate=0.1", text));
    const std::string raw = text.substr(equals + 1);
    auto parsed = parse_json(raw, "--set");
    json_value value = parsed.ok() ? parsed.take() : json_value(raw);
    value.set_line_everywhere(0); // its lines are not those of the file
    if (auto set = changes.set(text.substr(0, equals), std::move(value)); !set.ok())
      return set.error();
  }
  return changes.remarks();
}

} // namespace triage
