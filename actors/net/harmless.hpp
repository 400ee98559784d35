#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

namespace triage {

/// A peer's words go to a terminal: no control characters, and not endless.
[[nodiscard]] inline std::string harmless(std::string text) {
  constexpr std::size_t longest_text = 4096;
  text.resize(std::min(text.size(), longest_text));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20U || c == 0x7FU; }, ' ');
  // Control characters of two bytes: terminals take U+009B for the start of a command.
  for (std::size_t i = 1; i < text.size(); ++i)
    if (text[i - 1] == '\xC2' && static_cast<unsigned char>(text[i]) >= 0x80U &&
        static_cast<unsigned char>(text[i]) < 0xA0U)
      text[i - 1] = text[i] = ' ';
  return text;
}

} // namespace triage
