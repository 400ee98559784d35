#include "core/excerpt.hpp"

#include "core/utf8.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

namespace {

/// The length of what may be printed at the start of `text`: 0 for what is not UTF-8, and for controls of two
/// bytes.
std::size_t printable_length(std::string_view text) {
  const std::size_t length = utf8_length(text);
  const bool control = length == 2 && text[0] == '\xC2' && static_cast<unsigned char>(text[1]) < 0xA0;
  return control ? 0 : length;
}

} // namespace

std::string excerpt(std::string_view text, std::size_t longest) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = printable_length(text.substr(at));
    if (at + std::max<std::size_t>(length, 1) > longest)
      return out + "…";
    const auto byte = static_cast<unsigned char>(text[at]);
    if (length == 0 || byte < 0x20 || byte == 0x7F)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += text.substr(at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::string quoted_excerpt(std::string_view text, std::size_t longest) {
  return '"' + excerpt(text, longest) + '"';
}

} // namespace triage
