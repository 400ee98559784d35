#include "apps/prediction_input.hpp"

#include "core/formats/csv_tokenizer.hpp"
#include "core/formats/idx_array.hpp"
#include "core/formats/npy_samples.hpp"
#include "core/formats/text.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

namespace {

result<dataset> sized(dataset set, const std::string& path, std::uint64_t values) {
  const auto per_sample = static_cast<std::uint64_t>(set.shape.size());
  if (values == 0 || values % per_sample != 0)
    return data_error(fmt::format("{}: {} values are not a whole number of samples of shape {}", path, values,
                                  to_string(set.shape)));
  set.size = static_cast<std::size_t>(values / per_sample);
  return set;
}

/// Rows of as many values as the model takes may stand for images; a single sample for a batch of one.
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
  const bool flat = set.shape == sample_shape{shape.size(), 1, 1};
  if (!flat && !(set.shape == shape))
    return data_error(fmt::format("{}: its samples have the shape {}, but the model takes {}{}", path,
                                  to_string(set.shape), to_string(shape),
                                  channels_last ? " (after channels_last of the training data)" : ""));
  set.shape = shape;
  return set;
}

result<dataset> from_idx(const std::string& path, const sample_shape& shape) {
  auto array = read_idx(path, "samples");
  if (!array.ok())
    return array.error();
  dataset set;
  set.shape = shape;
  set.bytes = std::move(array->values);
  const auto values = set.bytes.size();
  return sized(std::move(set), path, values);
}

result<dataset> from_csv(const std::string& path, const sample_shape& shape) {
  auto text = read_text_file(path);
  if (!text.ok())
    return text.error();
  csv_tokenizer rows(*text, path.ends_with(".tsv") ? '\t' : ',', path);
  dataset set;
  set.shape = shape;
  std::vector<std::string_view> cells;
  bool first = true;
  while (true) {
    const auto more = rows.next(cells);
    if (!more.ok())
      return more.error();
    if (!*more)
      break;
    const bool may_be_header = std::exchange(first, false);
    if (may_be_header && std::none_of(cells.begin(), cells.end(), parse_number))
      continue;
    if (cells.size() != static_cast<std::size_t>(shape.size()))
      return data_error(fmt::format("{}, line {}: {} values, but the model takes {}", path, rows.line(),
                                    cells.size(), shape.size()));
    for (const auto cell : cells) {
      const auto value = parse_finite(cell);
      if (!value)
        return data_error(fmt::format("{}, line {}: {}", path, rows.line(), number_problem(cell)));
      set.floats.push_back(*value);
    }
  }
  const auto values = set.floats.size();
  return sized(std::move(set), path, values);
}

} // namespace

result<dataset> read_prediction_input(const std::string& path, const sample_shape& shape,
                                      bool channels_last) {
  if (path.ends_with(".npy"))
    return from_npy(path, shape, channels_last);
  if (path.ends_with(".csv") || path.ends_with(".tsv"))
    return from_csv(path, shape);
  return from_idx(path, shape);
}

} // namespace triage
