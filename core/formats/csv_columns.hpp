#pragma once

#include "core/options.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// Which columns the user means: names, or indices from 0 (negative ones count from the end).
struct column_choice {
  json_value label = json_value(-1);
  json_value targets =
      json_value(json_value::array{}); ///< when given, regression on these instead of `label`
  json_value ignored = json_value(json_value::array{});

  void visit(option_visitor& v);
  /// Refuses what is neither a name nor an index.
  [[nodiscard]] result<void> check() const;
  /// Whether any column is chosen by a name, so that the file must have a header.
  [[nodiscard]] bool needs_header() const;
};

/// What each column of a file is used for.
struct column_plan {
  std::size_t count = 0;             ///< columns of the file
  std::vector<std::string> names;    ///< the header, or empty
  std::vector<std::size_t> targets;  ///< label or target columns, in the order asked for
  std::vector<std::size_t> features; ///< ascending

  /// How messages call a column: `column 3` or `column 3 ("age")`, counting from 1.
  [[nodiscard]] std::string describe(std::size_t column) const;
};

/// Applies the choice to a file with `count` columns, whose header is `names` (empty: it has none). A name
/// that is not in the header, and an index outside the file, are errors of kind `data` that start with
/// `path`.
[[nodiscard]] result<column_plan> plan_columns(const column_choice& choice, std::vector<std::string> names,
                                               std::size_t count, const std::string& path);

/// Whether the first row is a header: most cells of `row` are no numbers where samples have features, or
/// one is none where the second row (empty: there is none) has a number as its label.
[[nodiscard]] bool looks_like_header(const column_plan& plan, std::span<const std::string_view> row,
                                     std::span<const std::string_view> second);

/// Whether the first row may be a header of numbers: its features are called by the numbers of their columns,
/// or by their own without the label's, as data frames write them, and its label and the second row's are
/// text. It is one where no other row has such a label.
[[nodiscard]] bool may_be_numbered_header(const column_plan& plan, std::span<const std::string_view> row,
                                          std::span<const std::string_view> second);

} // namespace triage
