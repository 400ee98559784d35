#include "core/element_count.hpp"

#include <algorithm>

namespace triage {

std::optional<std::uint64_t> element_count(std::span<const std::int64_t> shape) {
  constexpr std::uint64_t most = std::uint64_t{1} << 60U;
  if (std::any_of(shape.begin(), shape.end(), [](auto d) { return d < 0; }))
    return std::nullopt;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    return 0;
  std::uint64_t count = 1;
  for (const auto d : shape) {
    const auto u = static_cast<std::uint64_t>(d);
    if (u > most / count)
      return std::nullopt;
    count *= u;
  }
  return count;
}

} // namespace triage
