#include "core/formats/npy_samples.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

namespace triage {

namespace {

error problem(const std::string& file, const std::string& why) {
  return data_error(fmt::format("{}: {}", file, why));
}

result<sample_shape> shape_of_samples(const std::vector<std::int64_t>& shape, bool channels_last,
                                      const std::string& file) {
  if (shape.size() < 2 || shape.size() > 4)
    return problem(
        file,
        fmt::format("samples have the shape [{}]; (n, features), (n, h, w) or (n, c, h, w) are possible",
                    fmt::join(shape, ", ")));
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    return problem(file, fmt::format("holds no values: its shape is [{}]", fmt::join(shape, ", ")));
  if (shape.size() == 4)
    return channels_last ? sample_shape{shape[3], shape[1], shape[2]}
                         : sample_shape{shape[1], shape[2], shape[3]};
  if (shape.size() == 3)
    return sample_shape{1, shape[1], shape[2]};
  return sample_shape{shape[1], 1, 1};
}

} // namespace

result<void> assign_npy_samples(npy_array array, bool channels_last, const std::string& file, dataset& set) {
  const auto& shape = array.shape;
  auto found = shape_of_samples(shape, channels_last, file);
  if (!found.ok())
    return found.error();
  const sample_shape& s = set.shape = found.take();
  if (channels_last && shape.size() == 4) {
    const auto transpose = [&](auto& values) {
      auto moved = values;
      const auto plane = static_cast<std::size_t>(s.height * s.width);
      const auto c = static_cast<std::size_t>(s.channels);
      for (std::size_t n = 0; n < static_cast<std::size_t>(shape[0]); ++n)
        for (std::size_t p = 0; p < plane; ++p)
          for (std::size_t k = 0; k < c; ++k)
            moved[(n * c + k) * plane + p] = values[(n * plane + p) * c + k];
      values = std::move(moved);
    };
    std::visit(transpose, array.values);
  }
  set.size = static_cast<std::size_t>(shape[0]);
  if (auto* bytes = std::get_if<std::vector<std::uint8_t>>(&array.values)) {
    set.bytes = std::move(*bytes);
    return {};
  }
  if (auto* integers = std::get_if<std::vector<std::int64_t>>(&array.values))
    set.floats.assign(integers->begin(), integers->end());
  else
    set.floats = std::get<std::vector<float>>(std::move(array.values));
  const auto at =
      std::find_if(set.floats.begin(), set.floats.end(), [](float v) { return !std::isfinite(v); });
  if (at != set.floats.end())
    return problem(file, fmt::format("sample {} holds a value that is not finite",
                                     (at - set.floats.begin()) / set.shape.size()));
  return {};
}

std::vector<single_rounding> npy_roundings(const npy_array& array) {
  const auto* integers = std::get_if<std::vector<std::int64_t>>(&array.values);
  if (integers == nullptr || array.shape.size() > 2)
    return array.roundings;
  return roundings_of(integers->size(), array.shape,
                      [&](std::size_t i) { return static_cast<double>((*integers)[i]); });
}

result<void> check_npy_precision(const std::vector<single_rounding>& roundings, const std::string& file) {
  for (std::size_t k = 0; k < roundings.size(); ++k)
    if (const auto& r = roundings[k]; r.loses_steps())
      return problem(file,
                     fmt::format("column {}: {}; subtract {} from all of them", k, r.problem(), r.smallest));
  return {};
}

result<void> assign_mapped_samples(mapped_npy array, const std::string& file, dataset& set) {
  auto shape = shape_of_samples(array.shape, false, file);
  if (!shape.ok())
    return shape.error();
  set.shape = shape.take();
  set.size = static_cast<std::size_t>(array.shape[0]);
  set.mapped = {std::move(array.file), array.offset, array.floats};
  return {};
}

} // namespace triage
