#include "actors/class_weights.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace triage {

namespace {

std::vector<float> balanced(const dataset& train) {
  std::vector<std::size_t> points(static_cast<std::size_t>(train.classes));
  for (const auto label : train.labels)
    ++points[static_cast<std::size_t>(label)];
  std::vector<float> out(points.size(), 1.0F); // a class without points has none to be counted
  const auto present = points.size() - static_cast<std::size_t>(std::ranges::count(points, std::size_t{0}));
  const double share = static_cast<double>(train.size) / static_cast<double>(present);
  for (std::size_t c = 0; c < points.size(); ++c)
    if (points[c] > 0)
      out[c] = static_cast<float>(share / static_cast<double>(points[c]));
  return out;
}

} // namespace

result<class_weights> class_weights::read(const json_value& given, const json_place& place,
                                          const dataset& train) {
  class_weights out;
  if (given.is_null())
    return out;
  if (!train.is_classification())
    return json_error(place, given, "the data has values to predict and no classes; leave it out");
  if (given.is_string() && given.as_string() == "balanced") {
    out.of_class_ = balanced(train);
  } else if (given.is_array()) {
    const auto& numbers = given.as_array();
    if (numbers.size() != static_cast<std::size_t>(train.classes))
      return json_error(
          place, given,
          fmt::format("gives {} weights, and the data has {} classes", numbers.size(), train.classes));
    for (const auto& n : numbers) {
      const auto weight = n.is_number() ? static_cast<float>(n.as_number()) : -1.0F;
      if (!(weight >= 0.0F) || !std::isfinite(weight))
        return json_error(place, n, "must be a number of 0 or more");
      out.of_class_.push_back(weight);
    }
    if (std::ranges::all_of(out.of_class_, [](float w) { return w == 0.0F; }))
      return json_error(place, given, "are all 0: nothing would be trained");
  } else {
    return json_error(place, given, "must be \"balanced\", an array of one number for each class, or null");
  }
  if (std::ranges::all_of(out.of_class_, [](float w) { return w == 1.0F; }))
    out.of_class_.clear();
  return out;
}

void class_weights::apply(std::span<const std::int32_t> labels, std::span<const std::uint32_t> ids,
                          std::span<float> values) const {
  if (of_class_.empty())
    return;
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] *= of_class_[static_cast<std::size_t>(labels[ids[i]])];
}

} // namespace triage
