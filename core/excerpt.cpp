#include "core/excerpt.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

namespace {

/// The length of the UTF-8 sequence at the start of `text`, or 0 when there is no valid one.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : (first & 0xF0U) == 0xE0       ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  if (length == 0 || length > text.size())
    return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0U) != 0x80)
      return 0;
  const bool c1_control = length == 2 && first == 0xC2 && byte(1) < 0xA0;
  // Forms longer than needed, surrogates, and what lies beyond U+10FFFF: all told by the second byte.
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool no_character = (first == 0xED && byte(1) >= 0xA0) || (first == 0xF4 && byte(1) >= 0x90);
  return c1_control || overlong || no_character ? 0 : length;
}

} // namespace

std::string excerpt(std::string_view text, std::size_t longest) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = sequence_length(text.substr(at));
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
