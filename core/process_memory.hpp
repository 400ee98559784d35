#pragma once

#include <cstdint>
#include <optional>

namespace triage {

/// The most memory that this process ever held at once, in bytes; absent where the system does not say.
[[nodiscard]] std::optional<std::uint64_t> peak_memory_bytes();

} // namespace triage
