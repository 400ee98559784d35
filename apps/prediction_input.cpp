#include "apps/prediction_input.hpp"

#include "core/excerpt.hpp"
#include "core/formats/csv_tokenizer.hpp"
#include "core/formats/idx_array.hpp"
#include "core/formats/libsvm_samples.hpp"
#include "core/formats/npy_samples.hpp"
#include "core/formats/text.hpp"
#include "core/registry.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <utility>

namespace triage {

namespace {

result<dataset> sized(dataset set, const std::string& path, std::uint64_t values) {
  const auto per_sample = static_cast<std::uint64_t>(set.shape.size());
  if (values == 0)
    return data_error(fmt::format("{}: holds no samples", path));
  if (values % per_sample != 0)
    return data_error(fmt::format("{}: {} values are not a whole number of samples of shape {}", path, values,
                                  to_string(set.shape)));
  set.size = static_cast<std::size_t>(values / per_sample);
  return set;
}

/// Of samples that were read with the shape `found`. Rows of as many values as the model takes may stand for
/// images.
result<void> check_shape(const sample_shape& found, const sample_shape& expected, const std::string& path,
                         std::string_view remark = "") {
  if (found == expected || found == sample_shape{expected.size(), 1, 1})
    return {};
  return data_error(fmt::format("{}: its samples have the shape {}, but the model takes {}{}", path,
                                to_string(found), to_string(expected), remark));
}

/// A single sample may stand for a batch of one.
result<dataset> from_npy(const std::string& path, const sample_shape& shape, bool channels_last) {
  auto array = read_npy(path);
  if (!array.ok())
    return array.error();
  if (array->shape.size() == 1)
    array->shape = array->shape[0] == shape.size() ? std::vector<std::int64_t>{1, shape.size()}
                                                   : std::vector<std::int64_t>{array->shape[0], 1};
  dataset set;
  if (auto assigned = assign_npy_samples(array.take(), channels_last, path, set); !assigned.ok())
    return assigned.error();
  if (auto fits = check_shape(set.shape, shape, path,
                              channels_last ? " (after channels_last of the training data)" : "");
      !fits.ok())
    return fits.error();
  set.shape = shape;
  return set;
}

result<dataset> from_idx(const std::string& path, const sample_shape& shape) {
  auto array = read_idx(path, "samples");
  if (!array.ok())
    return array.error();
  if (auto fits = check_shape(sample_shape_of(*array), shape, path); !fits.ok())
    return fits.error();
  dataset set;
  set.shape = shape;
  set.size = static_cast<std::size_t>(array->dimensions.front());
  set.bytes = std::move(array->values);
  return set;
}

/// Where the row that may be a header has each feature of the model. Empty: it is no header. A header that
/// does not hold all the names is an error: nothing would say which column is which.
result<std::vector<std::size_t>> find_features(const std::vector<std::string_view>& row,
                                               const std::vector<std::string>& features,
                                               const std::string& path) {
  const auto column_of = [&](const std::string& name) { return std::find(row.begin(), row.end(), name); };
  const auto is_there = [&](const auto& name) { return column_of(name) != row.end(); };
  // Where columns are called by numbers, a sample may well hold some of their names.
  const bool numbers = std::all_of(features.begin(), features.end(), parse_number);
  const bool named = numbers ? std::all_of(features.begin(), features.end(), is_there)
                             : std::any_of(features.begin(), features.end(), is_there);
  if (std::any_of(row.begin(), row.end(), parse_number) && !named)
    return std::vector<std::size_t>{};
  std::vector<std::size_t> columns;
  for (const auto& name : features) {
    const auto at = column_of(name);
    if (at == row.end()) {
      const auto near = closest_name(name, row);
      return data_error(fmt::format("{}: has no column {}, on which the model was trained{}", path,
                                    quoted_excerpt(name),
                                    near.empty() ? "" : fmt::format("; is it {}?", quoted_excerpt(near))));
    }
    if (std::find(at + 1, row.end(), name) != row.end())
      return data_error(fmt::format("{}: has several columns {}", path, quoted_excerpt(name)));
    columns.push_back(static_cast<std::size_t>(at - row.begin()));
  }
  return columns;
}

/// Not where cells may be missing values of a first sample: it would be lost.
bool is_header_text(std::string_view cell) {
  return !is_missing(cell) && !parse_number(cell);
}

bool all_different(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) == names.end();
}

result<prediction_input> from_text(const std::string& path, char delimiter,
                                   const expected_samples& expected) {
  auto text = read_text_file(path);
  if (!text.ok())
    return text.error();
  csv_tokenizer rows(*text, delimiter, path);
  prediction_input out;
  dataset& set = out.samples;
  set.shape = expected.shape;
  const auto width = static_cast<std::size_t>(expected.shape.size());
  std::size_t cells_of_row = width;
  std::vector<std::size_t> columns(width);
  std::iota(columns.begin(), columns.end(), std::size_t{0});
  std::vector<std::string_view> cells;
  bool first = true;
  while (true) {
    const auto more = rows.next(cells);
    if (!more.ok())
      return more.error();
    if (!*more)
      break;
    const bool before_all = first;
    if (std::exchange(first, false)) {
      if (!expected.features.empty() && all_different(expected.features)) {
        auto named = find_features(cells, expected.features, path);
        if (!named.ok())
          return named.error();
        if (!named->empty()) {
          columns = named.take();
          cells_of_row = cells.size();
          for (std::size_t i = 0; i < cells.size(); ++i)
            if (std::find(columns.begin(), columns.end(), i) == columns.end())
              out.ignored_columns.emplace_back(cells[i]);
          continue;
        }
      }
      if (std::all_of(cells.begin(), cells.end(), is_header_text))
        continue;
    }
    if (cells_of_row == 1 && rows.passed_blank() && !before_all)
      return data_error(fmt::format("{}, line {}: {}", path, rows.line() - 1, number_problem("")));
    if (cells.size() != cells_of_row)
      return data_error(fmt::format("{}, line {}: {} values, but {} {}", path, rows.line(), cells.size(),
                                    cells_of_row == width ? "the model takes" : "the header names",
                                    cells_of_row));
    for (const auto column : columns) {
      const auto value = parse_finite(cells[column]);
      if (!value)
        return data_error(fmt::format("{}, line {}: {}", path, rows.line(), number_problem(cells[column])));
      set.floats.push_back(*value);
    }
  }
  const auto values = set.floats.size();
  auto whole = sized(std::move(set), path, values);
  if (!whole.ok())
    return whole.error();
  out.samples = whole.take();
  return out;
}

/// One that is like the training data needs no telling name.
result<dataset> from_other(const std::string& path, bool named_libsvm, const expected_samples& expected) {
  if (expected.first_index)
    return read_libsvm_samples(path, *expected.first_index,
                               static_cast<std::uint64_t>(expected.shape.size()));
  if (named_libsvm)
    return data_error(
        fmt::format("{}: LIBSVM files are read for models that were trained on LIBSVM data, which "
                    "says whether indices begin at 0 or 1; give the samples as .csv or .npy",
                    path));
  return from_idx(path, expected.shape);
}

} // namespace

result<prediction_input> read_prediction_input(const std::string& path, const expected_samples& expected) {
  std::string_view name = path;
  if (name.ends_with(".gz"))
    name.remove_suffix(3);
  const bool libsvm = name.ends_with(".libsvm") || name.ends_with(".svm");
  const bool text = name.ends_with(".txt") && !expected.first_index;
  if (name.ends_with(".tsv") || (text && expected.tabs))
    return from_text(path, '\t', expected);
  if (name.ends_with(".csv") || text)
    return from_text(path, expected.delimiter, expected);
  auto samples = path.ends_with(".npy") ? from_npy(path, expected.shape, expected.channels_last)
                                        : from_other(path, libsvm, expected);
  if (!samples.ok())
    return samples.error();
  return prediction_input{samples.take(), {}};
}

} // namespace triage
