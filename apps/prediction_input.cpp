#include "apps/prediction_input.hpp"

#include "core/formats/csv_tokenizer.hpp"
#include "core/formats/idx_array.hpp"
#include "core/formats/text.hpp"
#include "core/npy.hpp"

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

result<dataset> from_npy(const std::string& path, const sample_shape& shape) {
  auto array = read_npy(path);
  if (!array.ok())
    return array.error();
  dataset set;
  set.shape = shape;
  std::uint64_t values = 1;
  for (const auto d : array->shape)
    values *= static_cast<std::uint64_t>(d);
  if (auto* bytes = std::get_if<std::vector<std::uint8_t>>(&array->values))
    set.bytes = std::move(*bytes);
  else if (auto* floats = std::get_if<std::vector<float>>(&array->values))
    set.floats = std::move(*floats);
  else
    return data_error(fmt::format("{}: samples must be uint8 or float", path));
  return sized(std::move(set), path, values);
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
    if (may_be_header && !parse_number(cells.front()))
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

result<dataset> read_prediction_input(const std::string& path, const sample_shape& shape) {
  if (path.ends_with(".npy"))
    return from_npy(path, shape);
  if (path.ends_with(".csv") || path.ends_with(".tsv"))
    return from_csv(path, shape);
  return from_idx(path, shape);
}

} // namespace triage
