#include "core/exact_tail.hpp"
#include "core/rng.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using namespace triage;

TEST_CASE("exact tail: the last floats arrive as they are, the others as the compressor says") {
  rng random(5, 1);
  for (const auto& entry : compressors())
    for (const std::size_t tail : {0UL, 1UL, 7UL, 40UL}) {
      CAPTURE(entry.name);
      CAPTURE(tail);
      const auto c = entry.make();
      const exact_tail both(*c, tail);
      std::vector<float> values(40);
      for (float& v : values)
        v = static_cast<float>(random.normal());
      byte_block bytes, alone;
      both.encode(values, 3, bytes);
      const std::size_t rest = values.size() - tail;
      c->encode(std::span(values).first(rest), 3, alone);
      CHECK(bytes.size() == alone.size() + tail * sizeof(float));
      std::vector<float> out(40), expected(rest);
      REQUIRE(both.decode(bytes, out).ok());
      REQUIRE(c->decode(alone, expected).ok());
      for (std::size_t i = 0; i < values.size(); ++i)
        CHECK(out[i] == (i < rest ? expected[i] : values[i]));
    }
}

TEST_CASE("exact tail: messages of a peer that are too short or not finite are refused") {
  const auto c = make_compressor(json_value("sign"), {"test", "/compression"}).take();
  const exact_tail both(*c, 2);
  std::vector<float> values{1.0F, -2.0F, 3.0F, 4.0F};
  std::vector<float> out(4);
  byte_block bytes;
  both.encode(values, 0, bytes);
  CHECK_FALSE(both.decode(std::span(bytes).first(3), out).ok());
  CHECK_FALSE(both.decode(std::span(bytes).first(bytes.size() - 1), out).ok());
  CHECK_FALSE(both.decode({}, out).ok());
  values[3] = std::numeric_limits<float>::quiet_NaN();
  both.encode(values, 0, bytes);
  CHECK_FALSE(both.decode(bytes, out).ok());
}
