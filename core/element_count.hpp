#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace triage {

/// How many elements a tensor of that shape has (1 for no dimensions); nothing when a dimension is negative
/// or the product exceeds 2^60, so that bytes can be counted in 64 bits too. For shapes that come from files.
[[nodiscard]] std::optional<std::uint64_t> element_count(std::span<const std::int64_t> shape);

} // namespace triage
