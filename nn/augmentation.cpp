#include "nn/augmentation.hpp"

#include "core/component.hpp"
#include "nn/augmentations/augmentations.hpp"

#include <array>
#include <fmt/format.h>

namespace triage {

registry_table<augmentation_factory> augmentations() {
  static constexpr std::array<registry_entry<augmentation_factory>, 2> table = {{
      {"shift", "moves the image by a few pixels: pad and crop", make_shift},
      {"horizontal_flip", "mirrors the image left to right", make_horizontal_flip},
  }};
  return table;
}

result<std::vector<std::unique_ptr<augmentation>>> make_augmentations(const json_value& description,
                                                                      const json_place& place) {
  std::vector<std::unique_ptr<augmentation>> made;
  if (description.is_null())
    return made;
  if (!description.is_array())
    return json_error(place, description,
                      fmt::format("must be an array of augmentations, not {}", description.type_name()));
  for (const auto& item : description.as_array()) {
    const json_place at{place.source, fmt::format("{}/{}", place.pointer, made.size())};
    auto one = make_component<augmentation>(augmentations(), "augmentation", item, at);
    if (!one.ok())
      return one.error();
    made.push_back(one.take());
  }
  return made;
}

} // namespace triage
