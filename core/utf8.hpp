#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace triage {

/// The length of the UTF-8 sequence at the start of a text that is not empty, or 0 when there is no valid
/// one.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

/// Where the first byte is that belongs to no valid sequence.
[[nodiscard]] std::optional<std::size_t> first_not_utf8(std::string_view text);

} // namespace triage
