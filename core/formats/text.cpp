#include "core/formats/text.hpp"

#include "core/excerpt.hpp"
#include "core/formats/files.hpp"
#include "core/utf8.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <limits>

namespace triage {

result<std::string> read_text_file(const std::string& path) {
  auto opened = input_file::open(path);
  if (!opened.ok())
    return opened.error();
  auto text = opened->read_rest();
  if (!text.ok())
    return text.error();
  const std::string_view start = *text;
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF"))
    return opened->problem("is UTF-16 text; save it as UTF-8");
  if (const auto odd = first_not_utf8(start))
    return opened->problem(
        fmt::format("line {} holds bytes that are not UTF-8 ({}); save it as UTF-8",
                    1 + std::count(text->begin(), text->begin() + static_cast<std::ptrdiff_t>(*odd), '\n'),
                    quoted_excerpt(start.substr(*odd, 8))));
  if (start.starts_with("\xEF\xBB\xBF"))
    text->erase(0, 3);
  return text;
}

bool is_missing(std::string_view cell) {
  std::string text(trim(cell));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array markers = {"", "na", "n/a", "<na>", "nan", "null", "?"};
  return std::ranges::find(markers, text) != markers.end();
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<double> parse_number(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+') && !text.starts_with("+-"))
    text.remove_prefix(1);
  double value = 0.0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size())
    return std::nullopt;
  if (problem == std::errc::result_out_of_range)
    return std::strtod(std::string(text).c_str(), nullptr); // tells underflow (0) from overflow (infinity)
  if (problem != std::errc())
    return std::nullopt;
  return value;
}

std::optional<double> parse_single(std::string_view text) {
  const auto value = parse_number(text);
  if (!value || !std::isfinite(*value) ||
      std::abs(*value) > static_cast<double>(std::numeric_limits<float>::max()))
    return std::nullopt;
  return value;
}

std::optional<float> parse_finite(std::string_view text) {
  const auto value = parse_single(text);
  return value ? std::optional(static_cast<float>(*value)) : std::nullopt;
}

std::string number_problem(std::string_view text) {
  if (trim(text).empty())
    return "the cell is empty; missing values must be filled in first";
  if (is_missing(text) && !parse_number(text))
    return fmt::format("{} is a missing value, which must be filled in first", quoted_excerpt(text));
  if (!parse_number(text))
    return fmt::format("{} is not a number", quoted_excerpt(text));
  return fmt::format("{} is not finite in single precision", quoted_excerpt(text));
}

} // namespace triage
