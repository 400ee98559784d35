#include "core/rng.hpp"
#include "core/short_floats.hpp"
#include "core/wire.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using namespace triage;

namespace {

const std::vector<float> awkward = {0.0F,
                                    -0.0F,
                                    1.0F,
                                    std::numeric_limits<float>::infinity(),
                                    -std::numeric_limits<float>::infinity(),
                                    std::numeric_limits<float>::quiet_NaN(),
                                    std::numeric_limits<float>::denorm_min(),
                                    std::numeric_limits<float>::max(),
                                    -1e-30F};

std::vector<std::uint8_t> example() {
  wire_writer out;
  out.number<std::uint64_t>(1ULL << 60U).flag(true).text("node-1").numbers(awkward);
  out.number(-2.5).numbers(std::vector<std::uint32_t>{1, 2, 3}).text("");
  return out.take();
}

bool read_example(std::span<const std::uint8_t> bytes) {
  wire_reader in(bytes);
  (void)in.number<std::uint64_t>();
  (void)in.flag();
  (void)in.text();
  (void)in.numbers<float>();
  (void)in.number<double>();
  (void)in.numbers<std::uint32_t>();
  (void)in.text();
  return in.complete();
}

} // namespace

TEST_CASE("wire: what was written is read, every bit of every float") {
  const auto bytes = example();
  wire_reader in(bytes);
  CHECK(in.number<std::uint64_t>() == 1ULL << 60U);
  CHECK(in.flag());
  CHECK(in.text() == "node-1");
  const auto floats = in.numbers<float>();
  REQUIRE(floats.size() == awkward.size());
  for (std::size_t i = 0; i < floats.size(); ++i)
    CHECK(std::bit_cast<std::uint32_t>(floats[i]) == std::bit_cast<std::uint32_t>(awkward[i]));
  CHECK(in.number<double>() == -2.5);
  CHECK(in.numbers<std::uint32_t>() == std::vector<std::uint32_t>{1, 2, 3});
  CHECK(in.text().empty());
  CHECK(in.complete());
}

TEST_CASE("wire: cut off anywhere, or with something behind, is refused") {
  auto bytes = example();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(read_example(std::span(bytes).first(size)));
  CHECK(read_example(bytes));
  bytes.push_back(0);
  CHECK_FALSE(read_example(bytes));
}

TEST_CASE("wire: a length that the bytes cannot fill allocates nothing") {
  wire_writer out;
  out.number<std::uint32_t>(0xFFFFFFFFU);
  const auto bytes = out.take();
  wire_reader numbers(bytes);
  CHECK(numbers.numbers<double>().capacity() == 0);
  CHECK_FALSE(numbers.good());
  wire_reader text(bytes);
  CHECK(text.text().empty());
  CHECK_FALSE(text.good());
}

TEST_CASE("wire: random bytes end in an answer") {
  rng random(7, 1);
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::uint8_t> bytes(random.below(200));
    for (auto& b : bytes)
      b = static_cast<std::uint8_t>(random.below(256));
    (void)read_example(bytes);
  }
}

TEST_CASE("short floats: every 16-bit pattern survives the way to float and back") {
  for (const auto format : {float_format::bfloat16, float_format::float16})
    for (std::uint32_t i = 0; i < 65536; ++i) {
      const std::vector<std::uint16_t> in = {static_cast<std::uint16_t>(i)};
      std::vector<float> wide(1);
      std::vector<std::uint16_t> back(1);
      from_short(format, in, wide);
      to_short(format, wide, back);
      if (std::isnan(wide[0])) {
        std::vector<float> again(1);
        from_short(format, back, again);
        CHECK(std::isnan(again[0]));
      } else {
        CHECK_MESSAGE(back[0] == in[0], "pattern " << i);
      }
    }
}

TEST_CASE("short floats: rounding is to the nearest and never off by more than half a step") {
  rng random(3, 1);
  for (const auto& [format, step] :
       {std::pair{float_format::bfloat16, 0x1p-8}, std::pair{float_format::float16, 0x1p-11}})
    for (int i = 0; i < 100000; ++i) {
      const float value =
          static_cast<float>((random.uniform() - 0.5) * std::pow(2.0, 20.0 * random.uniform() - 8.0));
      std::vector<std::uint16_t> half(1);
      std::vector<float> back(1);
      to_short(format, std::span(&value, 1), half);
      from_short(format, half, back);
      const double tolerance = std::max(std::abs(static_cast<double>(value)) * step, 0x1p-25);
      CHECK(std::abs(static_cast<double>(back[0]) - static_cast<double>(value)) <= tolerance);
    }
}

TEST_CASE("short floats: what float16 cannot hold becomes infinity, as in IEEE 754") {
  const std::vector<float> in = {65504.0F, 65519.9F, 65520.0F, -1e30F, 0x1p-25F, 0x1.8p-25F};
  std::vector<std::uint16_t> half(in.size());
  std::vector<float> back(in.size());
  to_short(float_format::float16, in, half);
  from_short(float_format::float16, half, back);
  CHECK(back[0] == 65504.0F);
  CHECK(back[1] == 65504.0F);
  CHECK(std::isinf(back[2]));
  CHECK(back[3] == -std::numeric_limits<float>::infinity());
  CHECK(back[4] == 0.0F); // a tie goes to even
  CHECK(back[5] == 0x1p-24F);
}
