#pragma once

#include <algorithm>
#include <string>

namespace triage {

/// A peer's words go to a terminal: no control characters, and not endless.
[[nodiscard]] inline std::string harmless(std::string text) {
  constexpr std::size_t longest_text = 4096;
  text.resize(std::min(text.size(), longest_text));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20U || c == 0x7FU; }, ' ');
  return text;
}

} // namespace triage
