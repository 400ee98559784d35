#include "core/formats/targets.hpp"

#include "core/excerpt.hpp"
#include "core/formats/text.hpp"
#include "core/single_rounding.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

constexpr std::size_t most_automatic_classes = 100;
constexpr std::size_t most_classes = 100000;

std::optional<std::int64_t> parse_integer(std::string_view cell) {
  const auto value = parse_number(cell);
  if (!value || std::abs(*value) > 0x1.0p53 || std::floor(*value) != *value)
    return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

error cell_error(const target_cells& from, std::size_t at, const std::string& problem) {
  const std::size_t width = from.columns.size();
  return data_error(fmt::format("{}, line {}, {}: {}", from.path, from.lines[at / width],
                                from.columns[at % width], problem));
}

/// The different labels of a file in sorted order; a label's class is its position.
class label_map {
public:
  explicit label_map(const target_cells& from) {
    numeric_ = std::all_of(from.cells.begin(), from.cells.end(),
                           [](auto c) { return parse_integer(c).has_value(); });
    for (const auto cell : from.cells)
      if (numeric_)
        numbers_.push_back(*parse_integer(cell));
      else
        texts_.push_back(trim(cell));
    keep_different(numbers_);
    keep_different(texts_);
  }

  [[nodiscard]] bool numeric() const { return numeric_; }
  [[nodiscard]] std::size_t size() const { return numeric_ ? numbers_.size() : texts_.size(); }

  /// How the classes are called; empty where each is called by its number.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    if (!numeric_)
      out.assign(texts_.begin(), texts_.end());
    else if (!numbers_.empty() &&
             (numbers_.front() != 0 || numbers_.back() != static_cast<std::int64_t>(numbers_.size()) - 1))
      for (const auto number : numbers_)
        out.push_back(std::to_string(number));
    return out;
  }

  /// The class of a label, or -1.
  [[nodiscard]] std::int32_t find(std::string_view cell) const {
    if (!numeric_)
      return position(texts_, trim(cell));
    const auto number = parse_integer(cell);
    return number ? position(numbers_, *number) : -1;
  }

private:
  template <class T>
  static void keep_different(std::vector<T>& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
  }
  template <class T>
  static std::int32_t position(const std::vector<T>& sorted, const T& value) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), value);
    return at == sorted.end() || *at != value ? -1 : static_cast<std::int32_t>(at - sorted.begin());
  }

  bool numeric_ = true;
  std::vector<std::int64_t> numbers_;
  std::vector<std::string_view> texts_;
};

bool all_numbers(const target_cells& from) {
  return std::all_of(from.cells.begin(), from.cells.end(),
                     [](auto c) { return parse_number(c).has_value(); });
}

bool looks_like_classes(const target_cells& train) {
  if (train.columns.size() != 1)
    return false;
  if (!all_numbers(train))
    return true;
  const label_map map(train);
  return map.numeric() && map.size() <= most_automatic_classes && 2 * map.size() <= train.cells.size();
}

result<void> assign_labels(const label_map& map, const target_cells& from, dataset& set) {
  set.classes = static_cast<std::int64_t>(map.size());
  set.labels.reserve(from.cells.size());
  for (std::size_t i = 0; i < from.cells.size(); ++i) {
    const std::int32_t label = map.find(from.cells[i]);
    if (label < 0)
      return cell_error(
          from, i,
          fmt::format("the label {} does not occur in the training file, so no class can be learned for it",
                      quoted_excerpt(from.cells[i])));
    set.labels.push_back(label);
  }
  return {};
}

/// Of training targets: those of a small test set may lie close together.
result<void> check_precision(const target_cells& from) {
  const std::size_t width = from.columns.size();
  std::vector<single_rounding> roundings(width);
  for (std::size_t i = 0; i < from.cells.size(); ++i)
    if (const auto exact = parse_number(from.cells[i]))
      roundings[i % width].add(*exact);
  for (std::size_t k = 0; k < width; ++k)
    if (roundings[k].loses_steps())
      return data_error(fmt::format("{}, {}: {}; subtract {} from all of them", from.path, from.columns[k],
                                    roundings[k].problem(), roundings[k].smallest));
  return {};
}

result<void> assign_values(const target_cells& from, dataset& set) {
  set.outputs = static_cast<std::int64_t>(from.columns.size());
  set.targets.reserve(from.cells.size());
  for (std::size_t i = 0; i < from.cells.size(); ++i) {
    const auto value = parse_finite(from.cells[i]);
    if (!value)
      return cell_error(from, i,
                        number_problem(from.cells[i]) + "; a regression target must be a finite number");
    set.targets.push_back(*value);
  }
  return {};
}

} // namespace

void visit_task(option_visitor& v, std::string& task) {
  v.field(
      {.name = "task",
       .doc =
           "what the label is; auto: strings, and integers with at most 100 values that repeat, are classes",
       .choices = {"auto", "classification", "regression"}},
      task);
}

result<void> assign_targets(std::string_view task, const target_cells& train, const target_cells* test,
                            loaded_data& data) {
  if (task == "regression" || (task == "auto" && !looks_like_classes(train))) {
    if (auto done = assign_values(train, data.train); !done.ok())
      return done;
    if (auto precise = check_precision(train); !precise.ok())
      return precise;
    return test == nullptr ? result<void>() : assign_values(*test, *data.test);
  }
  const bool numbers = all_numbers(train);
  for (std::size_t i = 0; i < train.cells.size(); ++i)
    if (is_missing(train.cells[i]) || (numbers && !std::isfinite(*parse_number(train.cells[i]))))
      return cell_error(
          train, i,
          fmt::format("the label is missing or not finite ({}); give it one, take the row out, or, where a "
                      "class is called so, call it otherwise",
                      quoted_excerpt(train.cells[i])));
  const label_map map(train);
  if (map.size() > most_classes)
    return data_error(
        fmt::format("{}: {} has {} different values, too many for classes; name another label, or set "
                    "\"task\": \"regression\"",
                    train.path, train.columns.front(), map.size()));
  if (auto done = assign_labels(map, train, data.train); !done.ok())
    return done;
  data.names.classes = map.names();
  return test == nullptr ? result<void>() : assign_labels(map, *test, *data.test);
}

} // namespace triage
