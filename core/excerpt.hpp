#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace triage {

/// `text` for a message: at most `longest` bytes with an ellipsis behind, control characters and bytes that
/// are not UTF-8 written as \xNN. What users typed or files hold must neither flood nor break a terminal or a
/// log.
[[nodiscard]] std::string excerpt(std::string_view text, std::size_t longest = 60);

/// The same between quotes.
[[nodiscard]] std::string quoted_excerpt(std::string_view text, std::size_t longest = 60);

} // namespace triage
