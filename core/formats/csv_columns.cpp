#include "core/formats/csv_columns.hpp"

#include "core/excerpt.hpp"
#include "core/formats/text.hpp"
#include "core/registry.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>

namespace triage {

namespace {

/// `"3"` is an index as well, because --set and shells make strings of numbers easily.
std::optional<std::int64_t> as_index(const json_value& reference) {
  if (reference.is_integer())
    return reference.as_integer();
  std::int64_t value = 0;
  const std::string& text = reference.as_string();
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

result<void> check_reference(const json_value& reference, std::string_view option) {
  if (reference.is_integer() || (reference.is_string() && !reference.as_string().empty()))
    return {};
  return configuration_error(
      fmt::format("\"{}\" takes column names or indices, not {}", option, reference.type_name()));
}

result<void> check_references(const json_value& references, std::string_view option) {
  if (!references.is_array())
    return configuration_error(fmt::format("\"{}\" must be an array of column names or indices, not {}",
                                           option, references.type_name()));
  for (const auto& r : references.as_array())
    if (auto checked = check_reference(r, option); !checked.ok())
      return checked;
  return {};
}

result<std::size_t> find_column(const json_value& reference, const std::vector<std::string>& names,
                                std::size_t count, const std::string& path) {
  if (reference.is_string()) {
    const auto& wanted = reference.as_string();
    const auto at = std::find(names.begin(), names.end(), wanted);
    if (at != names.end() && std::find(at + 1, names.end(), wanted) != names.end())
      return data_error(
          fmt::format("{}: has several columns {}; use an index", path, quoted_excerpt(wanted)));
    if (at != names.end())
      return static_cast<std::size_t>(at - names.begin());
    if (!as_index(reference)) {
      const std::vector<std::string_view> known(names.begin(), names.end());
      const auto near = closest_name(wanted, known);
      return data_error(
          fmt::format("{}: has no column {}{}", path, quoted_excerpt(wanted),
                      names.empty()  ? ", for it has no header; use an index, or set \"header\": \"yes\""
                      : near.empty() ? ""
                                     : fmt::format(": did you mean {}?", quoted_excerpt(near))));
    }
  }
  const std::int64_t index = *as_index(reference);
  const auto columns = static_cast<std::int64_t>(count);
  if (index >= columns || index < -columns)
    return data_error(
        fmt::format("{}: has {} columns, there is no column with index {} (the first one is 0, the last "
                    "one -1)",
                    path, count, index));
  return static_cast<std::size_t>(index < 0 ? index + columns : index);
}

} // namespace

void column_choice::visit(option_visitor& v) {
  v.field(
      {.name = "label_column",
       .doc = "the label (or the one regression target): a name, or an index from 0, negative from the end",
       .type = "name or index"},
      label);
  v.field({.name = "target_columns",
           .doc = "the targets of a regression, in place of label_column",
           .type = "array of names or indices"},
          targets);
  v.field({.name = "ignore_columns", .doc = "columns that are left out", .type = "array of names or indices"},
          ignored);
}

result<void> column_choice::check() const {
  if (auto checked = check_reference(label, "label_column"); !checked.ok())
    return checked;
  if (auto checked = check_references(targets, "target_columns"); !checked.ok())
    return checked;
  return check_references(ignored, "ignore_columns");
}

bool column_choice::needs_header() const {
  const auto by_name = [](const json_value& r) { return !as_index(r); };
  const auto any = [&](const json_value& list) {
    return std::any_of(list.as_array().begin(), list.as_array().end(), by_name);
  };
  return any(targets) || any(ignored) || (targets.as_array().empty() && by_name(label));
}

std::string column_plan::describe(std::size_t column) const {
  return names.empty() ? fmt::format("column {}", column + 1)
                       : fmt::format("column {} ({})", column + 1, quoted_excerpt(names[column]));
}

result<column_plan> plan_columns(const column_choice& choice, std::vector<std::string> names,
                                 std::size_t count, const std::string& path) {
  column_plan plan;
  plan.count = count;
  plan.names = std::move(names);
  std::vector<bool> used(count, false);
  const json_value::array wanted =
      choice.targets.as_array().empty() ? json_value::array{choice.label} : choice.targets.as_array();
  for (const auto& reference : wanted) {
    auto column = find_column(reference, plan.names, count, path);
    if (!column.ok())
      return column.error();
    if (used[*column])
      return data_error(fmt::format("{}: {} is named twice as target", path, plan.describe(*column)));
    used[*column] = true;
    plan.targets.push_back(*column);
  }
  for (const auto& reference : choice.ignored.as_array()) {
    auto column = find_column(reference, plan.names, count, path);
    if (!column.ok())
      return column.error();
    if (std::find(plan.targets.begin(), plan.targets.end(), *column) != plan.targets.end())
      return data_error(
          fmt::format("{}: {} is both the label and ignored; the label is the last column unless "
                      "\"label_column\" says otherwise",
                      path, plan.describe(*column)));
    used[*column] = true;
  }
  for (std::size_t c = 0; c < count; ++c)
    if (!used[c])
      plan.features.push_back(c);
  if (plan.features.empty())
    return data_error(
        fmt::format("{}: of its {} columns none is left as feature; is the delimiter right?", path, count));
  return plan;
}

bool looks_like_header(const column_plan& plan, std::span<const std::string_view> row,
                       std::span<const std::string_view> second) {
  // A first sample with missing values is a sample.
  const auto text_at = [&](std::size_t c) { return !is_missing(row[c]) && !parse_number(row[c]); };
  const auto number_below = [&](std::size_t c) {
    return c < second.size() && parse_number(second[c]).has_value();
  };
  // More than half: a single bad value in the first sample is an error to be told, not a header.
  const auto texts = std::count_if(plan.features.begin(), plan.features.end(), text_at);
  return 2 * static_cast<std::size_t>(texts) > plan.features.size() ||
         std::any_of(plan.targets.begin(), plan.targets.end(),
                     [&](std::size_t c) { return text_at(c) && number_below(c); });
}

bool may_be_numbered_header(const column_plan& plan, std::span<const std::string_view> row,
                            std::span<const std::string_view> second) {
  if (plan.targets.size() != 1 || second.size() != row.size())
    return false;
  const std::size_t label = plan.targets.front();
  const auto is_text = [](std::string_view cell) { return !trim(cell).empty() && !parse_number(cell); };
  const auto all_called = [&](std::size_t less_behind_label) {
    return std::all_of(plan.features.begin(), plan.features.end(), [&](std::size_t c) {
      return row[c] == std::to_string(c > label ? c - less_behind_label : c);
    });
  };
  return is_text(row[label]) && is_text(second[label]) && (all_called(0) || all_called(1));
}

} // namespace triage
