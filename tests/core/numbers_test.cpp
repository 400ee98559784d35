#include "core/clock.hpp"
#include "core/element_count.hpp"
#include "core/emulated_network.hpp"
#include "core/finite.hpp"
#include "core/hash.hpp"
#include "core/rng.hpp"
#include "core/short_floats.hpp"
#include "core/signals.hpp"
#include "core/wire.hpp"

#include <bit>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <variant>
#include <vector>

// Small things that everything else stands on, against independent ways to compute them.

using namespace triage;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

/// Any bit pattern: normal, denormal, infinite or not a number.
float any_float(rng& random) {
  return std::bit_cast<float>(random());
}

/// The value of a 16-bit pattern by the definition of the format, in double.
double meaning(float_format format, std::uint16_t bits) {
  const int mantissa_bits = format == float_format::bfloat16 ? 7 : 10;
  const int bias = format == float_format::bfloat16 ? 127 : 15;
  const int exponent = (bits & 0x7FFF) >> mantissa_bits;
  const int fraction = bits & ((1 << mantissa_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 2 * bias + 1)
    return fraction == 0 ? sign * INFINITY : NAN;
  const double unit = std::ldexp(1.0, std::max(exponent, 1) - bias - mantissa_bits);
  return sign * unit * (fraction + (exponent == 0 ? 0 : 1 << mantissa_bits));
}

std::uint16_t shortened(float_format format, float value) {
  std::uint16_t out = 0;
  to_short(format, std::span(&value, 1), std::span(&out, 1));
  return out;
}

} // namespace

TEST_CASE("short floats: every pattern means what the format's definition says") {
  for (const auto format : {float_format::bfloat16, float_format::float16})
    for (std::uint32_t i = 0; i < 65536; ++i) {
      const auto pattern = static_cast<std::uint16_t>(i);
      float wide = 0.0F;
      from_short(format, std::span(&pattern, 1), std::span(&wide, 1));
      const double expected = meaning(format, pattern);
      if (std::isnan(expected))
        REQUIRE(std::isnan(wide));
      else
        REQUIRE(static_cast<double>(wide) == expected);
      REQUIRE((std::isnan(expected) || std::signbit(wide) == ((pattern & 0x8000U) != 0)));
    }
}

TEST_CASE(
    "short floats: between two neighbours the nearer one is taken, and of two equally near the even one") {
  for (const auto format : {float_format::bfloat16, float_format::float16})
    for (std::uint32_t i = 0; i < 0x7C00; ++i) {
      const auto low = static_cast<std::uint16_t>(i);
      const auto high = static_cast<std::uint16_t>(i + 1);
      const double a = meaning(format, low);
      const double b = meaning(format, high);
      if (!std::isfinite(b))
        break;
      const auto middle = static_cast<float>(0.5 * (a + b)); // exact: a float has more bits
      if (static_cast<double>(middle) != 0.5 * (a + b))
        continue; // a denormal of bfloat16 at the end of a float's range
      REQUIRE(shortened(format, middle) == (low % 2 == 0 ? low : high));
      REQUIRE(shortened(format, std::nextafter(middle, 0.0F)) == low);
      REQUIRE(shortened(format, std::nextafter(middle, inf)) == high);
      REQUIRE(shortened(format, -middle) == ((low % 2 == 0 ? low : high) | 0x8000));
    }
}

TEST_CASE("short floats: the order of numbers is kept") {
  rng random(1, 0);
  for (const auto format : {float_format::bfloat16, float_format::float16})
    for (int i = 0; i < 100000; ++i) {
      const float a = any_float(random);
      const float b = any_float(random);
      if (std::isnan(a) || std::isnan(b) || a > b)
        continue;
      REQUIRE(meaning(format, shortened(format, a)) <= meaning(format, shortened(format, b)));
    }
}

TEST_CASE("short floats: each element of a block is converted alone, whatever its length and start") {
  rng random(2, 0);
  std::vector<float> values(300);
  for (auto& v : values)
    v = any_float(random);
  for (const auto format : {float_format::bfloat16, float_format::float16})
    for (std::size_t start = 0; start < 5; ++start)
      for (std::size_t n = 0; n < 70; ++n) {
        std::vector<std::uint16_t> halves(n + 1, 0xABCD);
        to_short(format, std::span(values).subspan(start, n), std::span(halves).first(n));
        for (std::size_t i = 0; i < n; ++i)
          REQUIRE(halves[i] == shortened(format, values[start + i]));
        REQUIRE(halves[n] == 0xABCD);
      }
}

TEST_CASE("float formats: names and sizes belong together") {
  CHECK(float_format_of("bfloat16") == float_format::bfloat16);
  CHECK(float_format_of("float16") == float_format::float16);
  CHECK(float_format_of("float32") == float_format::float32);
  CHECK(bytes_of(float_format::float32) == 4);
  CHECK(bytes_of(float_format::bfloat16) == 2);
  CHECK(bytes_of(float_format::float16) == 2);
}

TEST_CASE("wire: random sequences of values come back in order and of the same bits") {
  using value = std::variant<std::uint8_t, std::uint32_t, std::int64_t, double, bool, std::string,
                             std::vector<float>, std::vector<std::uint64_t>>;
  rng random(3, 0);
  for (int round = 0; round < 2000; ++round) {
    std::vector<value> sent;
    wire_writer out;
    for (auto n = random.below(8); n > 0; --n) {
      switch (random.below(8)) {
      case 0:
        sent.emplace_back(static_cast<std::uint8_t>(random.below(256)));
        break;
      case 1:
        sent.emplace_back(random());
        break;
      case 2:
        sent.emplace_back(static_cast<std::int64_t>(random.next_u64()));
        break;
      case 3:
        sent.emplace_back(random.normal());
        break;
      case 4:
        sent.emplace_back(random.below(2) == 0);
        break;
      case 5:
        sent.emplace_back(std::string(random.below(20), static_cast<char>(random.below(256))));
        break;
      case 6:
        sent.emplace_back(std::vector<float>(random.below(20), static_cast<float>(random.normal())));
        break;
      default:
        sent.emplace_back(std::vector<std::uint64_t>(random.below(20), random.next_u64()));
      }
      std::visit(
          [&]<class T>(const T& v) {
            if constexpr (std::is_same_v<T, bool>)
              out.flag(v);
            else if constexpr (std::is_same_v<T, std::string>)
              out.text(v);
            else if constexpr (std::is_arithmetic_v<T>)
              out.number(v);
            else
              out.numbers(v);
          },
          sent.back());
    }
    const auto bytes = out.take();
    wire_reader in(bytes);
    for (const auto& expected : sent)
      std::visit(
          [&]<class T>(const T& v) {
            if constexpr (std::is_same_v<T, bool>)
              REQUIRE(in.flag() == v);
            else if constexpr (std::is_same_v<T, std::string>)
              REQUIRE(in.text() == v);
            else if constexpr (std::is_arithmetic_v<T>)
              REQUIRE(in.number<T>() == v);
            else
              REQUIRE(in.numbers<typename T::value_type>() == v);
          },
          expected);
    REQUIRE(in.complete());
  }
}

TEST_CASE("wire: after the first value that is not there everything reads as zero, empty and bad") {
  wire_writer out;
  out.number<std::uint32_t>(7);
  const auto bytes = out.take();
  wire_reader in(bytes);
  CHECK(in.number<std::uint64_t>() == 0);
  CHECK_FALSE(in.good());
  CHECK(in.number<std::uint32_t>() == 0); // the four bytes that were there are no more to be had
  CHECK_FALSE(in.flag());
  CHECK(in.text().empty());
  CHECK(in.numbers<float>().empty());
  CHECK_FALSE(in.complete());
}

TEST_CASE("wire: a flag is 0 or 1 and nothing else") {
  for (int v = 0; v < 256; ++v) {
    const std::vector<std::uint8_t> bytes = {static_cast<std::uint8_t>(v)};
    wire_reader in(bytes);
    CHECK(in.flag() == (v == 1));
    CHECK(in.complete() == (v < 2));
  }
}

TEST_CASE("finite: one value that is not is found at any place, in blocks of any length") {
  for (std::size_t n = 0; n < 40; ++n) {
    std::vector<float> values(n, -std::numeric_limits<float>::max());
    CHECK(all_finite(values));
    for (std::size_t i = 0; i < n; ++i)
      for (const float bad : {inf, -inf, std::nanf(""), -std::nanf("1")}) {
        const float kept = std::exchange(values[i], bad);
        CHECK_FALSE(all_finite(values));
        values[i] = kept;
      }
  }
  CHECK(all_finite(std::vector<float>{0.0F, -0.0F, std::numeric_limits<float>::denorm_min()}));
}

TEST_CASE("element count: products, and the limit of 2^60 to the last one") {
  const auto count = [](std::vector<std::int64_t> shape) { return element_count(shape); };
  CHECK(count({}) == 1);
  CHECK(count({7}) == 7);
  CHECK(count({2, 3, 4}) == 24);
  CHECK(count({std::int64_t{1} << 30, std::int64_t{1} << 30}) == std::uint64_t{1} << 60U);
  CHECK_FALSE(count({(std::int64_t{1} << 60) + 1}).has_value());
  CHECK_FALSE(count({std::int64_t{1} << 32, std::int64_t{1} << 32}).has_value()); // 0 in 64 bits
  CHECK_FALSE(count({3, -1}).has_value());
  CHECK_FALSE(count({0, -1}).has_value());
  CHECK(count({std::int64_t{1} << 62, 0, std::int64_t{1} << 62}) == 0);
}

TEST_CASE("stopwatch: only the time between start and stop counts, also when they are said twice") {
  manual_clock time;
  time.advance(50.0);
  stopwatch watch(time, 10.0);
  CHECK(watch.seconds() == 10.0);
  CHECK_FALSE(watch.running());
  time.advance(5.0);
  watch.stop(); // was not running
  CHECK(watch.seconds() == 10.0);
  watch.start();
  time.advance(2.0);
  watch.start(); // does not begin anew
  time.advance(1.0);
  CHECK(watch.running());
  CHECK(watch.seconds() == 13.0);
  watch.stop();
  watch.stop();
  time.advance(100.0);
  CHECK(watch.seconds() == 13.0);
  watch.start();
  time.advance(1.0);
  CHECK(watch.seconds() == 14.0);
}

TEST_CASE("steady clock: never goes back") {
  const steady_clock time;
  double last = time.now();
  for (int i = 0; i < 1000; ++i) {
    const double now = time.now();
    CHECK(now >= last);
    last = now;
  }
}

TEST_CASE("signals: a set holds what was put in and nothing else") {
  constexpr signal all[] = {signal::loss,          signal::residual_norm, signal::last_input_norm,
                            signal::gradient_norm, signal::projection,    signal::last_projection};
  for (const auto a : all)
    for (const auto b : all) {
      const signal_set set = a | b;
      for (const auto s : all)
        CHECK(contains(set, s) == (s == a || s == b));
    }
  CHECK((signal_set{0} | signal::loss) == static_cast<signal_set>(signal::loss));
}

TEST_CASE("emulated network: any of its figures makes it active") {
  CHECK_FALSE(emulated_network{}.active());
  CHECK(emulated_network{.latency_ms = 1}.active());
  CHECK(emulated_network{.bandwidth_mbps = 1}.active());
  CHECK(emulated_network{.jitter_ms = 1}.active());
  CHECK(emulated_network{.loss = 0.1}.active());
}

TEST_CASE("hash: however a text is cut into parts, the hash is that of the whole") {
  rng random(4, 0);
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += static_cast<char>(random.below(256));
  const auto whole = sha256_hex(std::as_bytes(std::span(text)));
  CHECK(whole.find_first_not_of("0123456789abcdef") == std::string::npos);
  for (int round = 0; round < 200; ++round) {
    sha256 parts;
    for (std::size_t at = 0; at < text.size();) {
      const auto size = std::min<std::size_t>(random.below(130), text.size() - at);
      parts.add(std::string_view(text).substr(at, size));
      at += size;
    }
    REQUIRE(parts.hex() == whole);
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto other = text;
    other[i] = static_cast<char>(other[i] ^ 1);
    REQUIRE(sha256_hex(std::as_bytes(std::span(other))) != whole);
  }
}
