#pragma once

#include <span>

namespace triage {

/// Whether every element is finite.
[[nodiscard]] bool all_finite(std::span<const float> values);

} // namespace triage
