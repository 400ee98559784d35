#include "core/formats/csv_columns.hpp"
#include "core/formats/csv_tokenizer.hpp"
#include "core/formats/files.hpp"
#include "core/formats/formats.hpp"
#include "core/formats/targets.hpp"
#include "core/formats/text.hpp"
#include "core/single_rounding.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace triage {

namespace {

/// One file: its features as numbers, its targets still as cells of `text`. Stays where it is: short texts
/// would move away from under their cells.
struct csv_table {
  csv_table() = default;
  csv_table(const csv_table&) = delete;
  csv_table& operator=(const csv_table&) = delete;

  std::string text;
  column_plan plan;
  std::vector<float> features;
  std::vector<single_rounding> roundings; ///< of each feature
  target_cells targets;
};

class csv_format final : public dataset_format {
public:
  /// Comma-separated by default with the delimiter as an option, or always tab-separated.
  explicit csv_format(bool tabs) : tabs_(tabs), delimiter_(tabs ? "\t" : ",") {}

  void visit(option_visitor& v) override {
    if (!tabs_)
      v.field(
          {.name = "delimiter", .doc = "between the cells of a row", .choices = {",", ";", "|", ":", "\t"}},
          delimiter_);
    v.field({.name = "header",
             .doc = "whether the first row holds names; auto: when most of it is text where numbers are "
                    "expected, or when it numbers the columns from 0 and its label is a text that occurs "
                    "once",
             .choices = {"auto", "yes", "no"}},
            header_);
    choice_.visit(v);
    visit_task(v, task_);
  }

  [[nodiscard]] result<void> check() const override {
    if (auto checked = choice_.check(); !checked.ok())
      return checked;
    if (task_ == "classification" && choice_.targets.as_array().size() > 1)
      return configuration_error(
          "\"task\" is classification, which has one label, but \"target_columns\" names several");
    if (header_ == "no" && choice_.needs_header())
      return configuration_error("\"header\" is no, but a column is chosen by name; use indices");
    return {};
  }

  [[nodiscard]] result<loaded_data> load(const data_source& source) const override {
    const std::vector<std::string_view> extensions =
        tabs_ ? std::vector<std::string_view>{"tsv", "txt"} : std::vector<std::string_view>{"csv", "txt"};
    auto files = find_file_pair(source, extensions);
    if (!files.ok())
      return files.error();
    loaded_data data;
    csv_table train;
    if (auto read = read_table(files->train, true, train); !read.ok())
      return read.error();
    if (auto precise = check_precision(train); !precise.ok())
      return precise.error();
    move_features(train, data.train);
    csv_table test;
    if (!files->test.empty()) {
      const auto read = read_table(files->test, !train.plan.names.empty(), test);
      // First, where it got so far: other columns are why a value is none.
      if (auto same = check_same_columns(train, test); test.plan.count > 0 && !same.ok())
        return same.error();
      if (!read.ok())
        return read.error();
      move_features(test, data.test.emplace());
    }
    const std::string_view task =
        choice_.targets.as_array().size() > 1 ? "regression" : std::string_view(task_);
    if (auto done = assign_targets(task, train.targets, data.test ? &test.targets : nullptr, data);
        !done.ok())
      return done.error();
    name_columns(train.plan, data);
    return data;
  }

private:
  /// `numbered`: a header of numbers is possible.
  result<void> read_table(const std::string& path, bool numbered, csv_table& table) const {
    auto text = read_text_file(path);
    if (!text.ok())
      return text.error();
    table.text = text.take();
    table.targets.path = path;
    csv_tokenizer rows(table.text, delimiter_.front(), path);
    std::vector<std::string_view> cells;
    std::vector<std::string_view> second;
    auto first = rows.next(cells);
    if (!first.ok())
      return first.error();
    if (!*first)
      return data_error(fmt::format("{}: holds no rows", path));
    const std::uint64_t first_line = rows.line();
    auto more = rows.next(second);
    if (!more.ok())
      return more.error();
    if (auto planned = plan_table(cells, second, table); !planned.ok())
      return planned;
    reserve(table);
    // Whether that is a header will be known when all other labels are.
    const bool undecided = numbered && header_ == "auto" && table.plan.names.empty() &&
                           may_be_numbered_header(table.plan, cells, second);
    if (table.plan.names.empty() && !undecided)
      if (auto added = add_row(cells, first_line, table); !added.ok())
        return added;
    while (*more) {
      if (auto added = add_row(second, rows.line(), table); !added.ok())
        return added;
      more = rows.next(second);
      if (!more.ok())
        return more.error();
    }
    if (undecided)
      return decide_first(cells, first_line, table);
    if (table.targets.lines.empty())
      return data_error(fmt::format("{}: holds a header but no samples", path));
    return {};
  }

  /// Makes the row that stands before all others a header, or a sample.
  static result<void> decide_first(const std::vector<std::string_view>& cells, std::uint64_t line,
                                   csv_table& table) {
    auto& targets = table.targets;
    const auto label = trim(cells[table.plan.targets.front()]);
    if (std::none_of(targets.cells.begin(), targets.cells.end(),
                     [&](auto other) { return trim(other) == label; })) {
      table.plan.names.assign(cells.begin(), cells.end());
      targets.columns = {table.plan.describe(table.plan.targets.front())};
      return {};
    }
    if (auto added = add_row(cells, line, table); !added.ok())
      return added;
    const auto bring_to_front = [](auto& values, std::size_t count) {
      std::rotate(values.begin(), values.end() - static_cast<std::ptrdiff_t>(count), values.end());
    };
    bring_to_front(table.features, table.plan.features.size());
    bring_to_front(targets.cells, 1);
    bring_to_front(targets.lines, 1);
    return {};
  }

  /// Decides whether `first` is a header and what each column is for.
  result<void> plan_table(const std::vector<std::string_view>& first,
                          const std::vector<std::string_view>& second, csv_table& table) const {
    const auto& path = table.targets.path;
    bool header = header_ == "yes" || choice_.needs_header();
    if (header_ == "auto" && !header) {
      auto without = plan_columns(choice_, {}, first.size(), path);
      if (!without.ok())
        return without.error();
      header = looks_like_header(*without, first, second);
    }
    std::vector<std::string> names;
    if (header)
      names.assign(first.begin(), first.end());
    auto plan = plan_columns(choice_, std::move(names), first.size(), path);
    if (!plan.ok())
      return plan.error();
    table.plan = plan.take();
    for (const auto column : table.plan.targets)
      table.targets.columns.push_back(table.plan.describe(column));
    return {};
  }

  /// Enough for all rows, so that nothing grows by copying; a cell takes at least two characters.
  static void reserve(csv_table& table) {
    const auto rows = static_cast<std::size_t>(std::count(table.text.begin(), table.text.end(), '\n')) + 1;
    const std::size_t width = table.plan.features.size();
    table.features.reserve(std::min(rows * width, table.text.size() / 2 + width));
    table.targets.lines.reserve(std::min(rows, table.text.size() / 2 + 1));
  }

  static result<void> add_row(const std::vector<std::string_view>& cells, std::uint64_t line,
                              csv_table& table) {
    const auto& path = table.targets.path;
    if (cells.size() != table.plan.count)
      return data_error(
          fmt::format("{}, line {}: has {} cells where {} are expected; is the delimiter right?", path, line,
                      cells.size(), table.plan.count));
    table.roundings.resize(table.plan.features.size());
    for (std::size_t i = 0; i < table.plan.features.size(); ++i) {
      const auto column = table.plan.features[i];
      const auto value = parse_single(cells[column]);
      if (!value)
        return data_error(
            fmt::format("{}, line {}, {}: {}. Clean it, or leave the column out with \"ignore_columns\"",
                        path, line, table.plan.describe(column), number_problem(cells[column])));
      table.features.push_back(static_cast<float>(*value));
      table.roundings[i].add(*value);
    }
    for (const auto column : table.plan.targets)
      table.targets.cells.push_back(cells[column]);
    table.targets.lines.push_back(line);
    return {};
  }

  /// A time in seconds since 1970 and the like: floats would hold its steps of minutes only.
  static result<void> check_precision(const csv_table& table) {
    for (std::size_t i = 0; i < table.roundings.size(); ++i) {
      const auto& r = table.roundings[i];
      if (r.loses_steps())
        return data_error(fmt::format(
            "{}, {}: {}; subtract {} from all of them, or leave the column out with \"ignore_columns\"",
            table.targets.path, table.plan.describe(table.plan.features[i]), r.problem(), r.smallest));
    }
    return {};
  }

  static result<void> check_same_columns(const csv_table& train, const csv_table& test) {
    if (train.plan.count != test.plan.count)
      return data_error(fmt::format("{}: has {} columns, but the training file has {}", test.targets.path,
                                    test.plan.count, train.plan.count));
    if (!train.plan.names.empty() && !test.plan.names.empty() && train.plan.names != test.plan.names)
      return data_error(
          fmt::format("{}: its header differs from the training file's; the columns must be the same, in "
                      "the same order",
                      test.targets.path));
    return {};
  }

  static void name_columns(const column_plan& plan, loaded_data& data) {
    if (plan.names.empty())
      return;
    for (const auto column : plan.features)
      data.names.features.push_back(plan.names[column]);
    if (!data.train.is_classification())
      for (const auto column : plan.targets)
        data.names.outputs.push_back(plan.names[column]);
  }

  static void move_features(csv_table& table, dataset& set) {
    set.shape.channels = static_cast<std::int64_t>(table.plan.features.size());
    set.size = table.targets.lines.size();
    set.floats = std::move(table.features);
  }

  bool tabs_;
  std::string delimiter_;
  std::string header_ = "auto";
  column_choice choice_;
  std::string task_ = "auto";
};

} // namespace

std::unique_ptr<dataset_format> make_csv_format() {
  return std::make_unique<csv_format>(false);
}
std::unique_ptr<dataset_format> make_tsv_format() {
  return std::make_unique<csv_format>(true);
}

} // namespace triage
