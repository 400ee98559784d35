#pragma once

#include "core/json.hpp"
#include "core/rng.hpp"

#include <string>

namespace triage::test {

/// A string of awkward characters: quotes, escapes, control characters, UTF-8 of every length.
inline std::string random_text(rng& random, std::size_t longest = 8) {
  static const std::string_view parts[] = {"a",  "Z",    "0",    " ",    "\"", "\\", "/",    "\n",
                                           "\t", "\x01", "\x1f", "\x7f", "é",  "€",  "\\u0", "\U0001F600",
                                           ":",  "{",    "]",    ",",    "~",  "."};
  std::string out;
  for (std::uint64_t n = random.below(longest + 1); n > 0; --n)
    out += parts[random.below(std::size(parts))];
  return out;
}

inline json_value random_number(rng& random) {
  switch (random.below(6)) {
  case 0:
    return json_value(static_cast<std::int64_t>(random.next_u64()));
  case 1:
    return json_value(static_cast<std::int64_t>(random.below(2000)) - 1000);
  case 2:
    return json_value(random.normal());
  case 3:
    return json_value(random.normal() * 1e300);
  case 4:
    return json_value(random.normal() * 1e-310); // denormal
  default:
    return json_value(static_cast<double>(random.below(1000)));
  }
}

/// A document of every type of value, at most `depth` levels deep.
inline json_value random_document(rng& random, int depth = 4) {
  const auto kind = random.below(depth > 0 ? 7 : 5);
  if (kind == 0)
    return nullptr;
  if (kind == 1)
    return random.below(2) == 0;
  if (kind == 2 || kind == 3)
    return random_number(random);
  if (kind == 4)
    return random_text(random);
  if (kind == 5) {
    json_value::array out;
    for (auto n = random.below(4); n > 0; --n)
      out.push_back(random_document(random, depth - 1));
    return out;
  }
  json_value out(json_value::object{});
  for (auto n = random.below(5); n > 0; --n)
    out.set(random_text(random), random_document(random, depth - 1));
  return out;
}

} // namespace triage::test
