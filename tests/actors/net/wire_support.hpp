#pragma once

#include "actors/net/frame.hpp"
#include "core/rng.hpp"

#include <bit>
#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <vector>

namespace triage::test {

using bytes = std::vector<std::uint8_t>;

inline constexpr int random_rounds = 20'000;

inline const std::vector<float> awkward_floats = {0.0F,
                                                  -0.0F,
                                                  1.0F,
                                                  std::numeric_limits<float>::infinity(),
                                                  -std::numeric_limits<float>::infinity(),
                                                  std::numeric_limits<float>::quiet_NaN(),
                                                  std::bit_cast<float>(0xFFC00123U), // a NaN with a payload
                                                  std::numeric_limits<float>::denorm_min(),
                                                  -std::numeric_limits<float>::denorm_min(),
                                                  std::numeric_limits<float>::max()};

/// NaNs are equal to nothing, so bits are compared.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](float x, float y) {
    return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

/// What a reader of the peer gets.
inline bytes head_of(const frame& f) {
  const auto head = f.front().subspan(frame_header::size);
  return {head.begin(), head.end()};
}

inline frame_header header_of(const frame& f) {
  const auto h = frame_header::decode(f.front().first(frame_header::size));
  REQUIRE(h.ok());
  return *h;
}

/// The message is read whole, and refused when cut off anywhere or when something lies behind it.
template <class Read>
void check_only_whole(bytes head, Read read) {
  CHECK(read(head).ok());
  for (std::size_t size = 0; size < head.size(); ++size)
    CHECK_FALSE(read(std::span<const std::uint8_t>(head).first(size)).ok());
  head.push_back(0);
  CHECK_FALSE(read(head).ok());
}

/// Random bytes, and the bytes of a proper message with a few of them changed, which get further. `sound`
/// says whether what was read keeps the promises of its reader.
template <class Read, class Sound>
void check_random(std::uint64_t seed, const bytes& proper, Read read, Sound sound) {
  rng random(seed, 1);
  int broken_promises = 0;
  for (int round = 0; round < random_rounds; ++round) {
    bytes head;
    if (round % 2 == 0) {
      head.resize(random.below(120));
      for (auto& b : head)
        b = static_cast<std::uint8_t>(random.below(256));
    } else {
      head = proper;
      for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes)
        head[random.below(head.size())] = static_cast<std::uint8_t>(random.below(256));
    }
    if (const auto m = read(head); m.ok() && !sound(*m))
      ++broken_promises;
  }
  CHECK(broken_promises == 0);
}

/// Nothing that a terminal would obey.
inline bool harmless_text(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : ' ');
    if (c < 0x20U || c == 0x7FU || (c == 0xC2U && next >= 0x80U && next < 0xA0U))
      return false;
  }
  return text.size() <= 4096;
}

inline const std::string evil_text = std::string("a\x1b[2J\r\nb\x7f\x00", 10) + "c\xc2\x9b[2J";

} // namespace triage::test
