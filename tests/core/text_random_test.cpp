#include "core/excerpt.hpp"
#include "core/inspect.hpp"
#include "core/registry.hpp"
#include "core/rng.hpp"
#include "core/safetensors.hpp"
#include "tests/core/data_support.hpp"

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <string>

// What reaches a terminal or a log must neither flood nor break it, whatever users typed or files hold.

using namespace triage;
using namespace triage::test;

namespace {

/// Strict UTF-8 by decoding: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) {
      return static_cast<std::uint32_t>(static_cast<unsigned char>(text[k]));
    };
    const auto first = byte(i);
    const std::size_t length = first < 0x80        ? 1
                               : first >> 5U == 6  ? 2
                               : first >> 4U == 14 ? 3
                               : first >> 3U == 30 ? 4
                                                   : 0;
    if (length == 0 || i + length > text.size())
      return false;
    std::uint32_t point = length == 1 ? first : first & ((1U << (7 - length)) - 1);
    for (std::size_t k = 1; k < length; ++k) {
      if (byte(i + k) >> 6U != 2)
        return false;
      point = point << 6U | (byte(i + k) & 0x3FU);
    }
    constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < smallest[length] || (point >= 0xD800 && point < 0xE000) || point > 0x10FFFF)
      return false;
    i += length;
  }
  return true;
}

bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f ||
        (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0))
      return true;
  }
  return false;
}

std::string random_bytes(rng& random) {
  // Heads and tails of sequences more often than chance would have it.
  constexpr std::string_view likely = "\x80\xbf\xc2\x9b\xe0\xed\xa0\xf0\x90\xf4\x8f\xff\x1b\n";
  std::string out;
  for (auto n = random.below(40); n > 0; --n)
    out += random.below(2) == 0 ? likely[random.below(likely.size())] : static_cast<char>(random.below(256));
  return out;
}

} // namespace

TEST_CASE(
    "text random: an excerpt of any bytes is valid UTF-8 without control characters, of bounded length") {
  rng random(1, 1);
  for (int round = 0; round < 50000; ++round) {
    const std::string text = random_bytes(random);
    const std::size_t longest = random.below(50);
    const std::string out = excerpt(text, longest);
    REQUIRE(is_utf8(out));
    REQUIRE_FALSE(has_control(out));
    REQUIRE(out.size() <= 4 * longest + 3); // \xNN for each byte, and the ellipsis
    REQUIRE((text.size() <= longest) == !out.ends_with("…"));
  }
}

TEST_CASE("text random: overlong forms, surrogates and what is beyond Unicode are written as bytes") {
  CHECK(excerpt("\xe0\x80\x80") == "\\xe0\\x80\\x80");
  CHECK(excerpt("\xe0\x9f\xbf") == "\\xe0\\x9f\\xbf");
  CHECK(excerpt("\xed\xa0\x80") == "\\xed\\xa0\\x80");
  CHECK(excerpt("\xf0\x80\x80\x80") == "\\xf0\\x80\\x80\\x80");
  CHECK(excerpt("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
  for (const char* good :
       {"\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    CHECK(excerpt(good) == good);
}

TEST_CASE("text random: valid text that is short enough is its own excerpt") {
  rng random(2, 1);
  for (int round = 0; round < 20000; ++round) {
    const std::string text = random_bytes(random);
    if (is_utf8(text) && !has_control(text))
      CHECK(excerpt(text) == text);
  }
}

TEST_CASE("text random: a suggestion is always one of the known names, and every name suggests itself") {
  const std::vector<std::string_view> known = {"epochs",        "seconds",  "seed",
                                               "learning_rate", "momentum", "nesterov"};
  rng random(3, 1);
  for (const auto name : known) {
    CHECK(closest_name(name, known) == name);
    // One slip: a letter too many, too few, another one, or two swapped.
    for (std::size_t i = 0; i + 1 < name.size(); ++i) {
      std::string more(name);
      more.insert(i, 1, 'q');
      std::string less(name);
      less.erase(i, 1);
      std::string other(name);
      other[i] = 'q';
      std::string swapped(name);
      std::swap(swapped[i], swapped[i + 1]);
      for (const auto& slip : {more, less, other, swapped})
        CHECK_MESSAGE(closest_name(slip, known) == name, slip);
    }
  }
  for (int round = 0; round < 2000; ++round) {
    const auto near = closest_name(random_bytes(random), known);
    CHECK((near.empty() || std::find(known.begin(), known.end(), near) != known.end()));
  }
}

TEST_CASE("text random: inspecting a file prints no control character of it") {
  const temp_folder folder;
  const auto path = folder.write(
      "t.safetensors", encode_safetensors({{"\x1b[2J\x07w", {1}, std::vector<float>{1.0F}},
                                           {std::string(100000, 'n'), {1}, std::vector<float>{2.0F}}}));
  const auto text = inspect_file(path);
  REQUIRE_MESSAGE(text.ok(), text.error().message);
  CHECK(text->find('\x1b') == std::string::npos);
  CHECK(text->find('\x07') == std::string::npos);
  CHECK(contains(*text, "\\x1b[2J"));
  CHECK(text->size() < 1000);

  folder.write("run/config.json", R"({"name": "a\u001b[31mb"})");
  folder.write("run/summary.json", R"({"status": "failed", "problem": "x\u001by"})");
  folder.write("run/metrics.jsonl", "{\"x\": \"\x1b[0m\"}\n");
  const auto run = inspect_file(folder.path("run"));
  REQUIRE_MESSAGE(run.ok(), run.error().message);
  CHECK(run->find('\x1b') == std::string::npos);
  CHECK(contains(*run, "a\\x1b[31mb"));
}
