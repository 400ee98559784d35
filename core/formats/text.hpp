#pragma once

#include "core/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace triage {

/// A whole text file, plain or gzip, without a byte order mark. What is not UTF-8 is refused with a hint.
[[nodiscard]] result<std::string> read_text_file(const std::string& path);

/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

/// Whether the cell is empty, or says as programs do that its value is missing: NA, null, ?, …
[[nodiscard]] bool is_missing(std::string_view cell);

/// The number that `text` is, as a whole; whatever the locale. What is too large becomes an infinity, and
/// "nan" and "inf" are numbers too: callers that want finite values must ask.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

/// The value as float where `text` is a number that is finite in single precision.
[[nodiscard]] std::optional<float> parse_finite(std::string_view text);
/// The same before it is rounded.
[[nodiscard]] std::optional<double> parse_single(std::string_view text);

/// Why `parse_finite` refuses `text`, for messages: `"abc" is not a number`.
[[nodiscard]] std::string number_problem(std::string_view text);

} // namespace triage
