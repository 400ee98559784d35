#include "core/shape.hpp"

#include <fmt/format.h>

namespace triage {

std::string to_string(const sample_shape& shape) {
  if (shape.is_image())
    return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width);
  return fmt::format("{}", shape.channels);
}

} // namespace triage
