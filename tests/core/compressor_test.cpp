#include "core/compressor.hpp"

#include "core/error_feedback.hpp"
#include "core/rng.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <vector>

// What every compressor promises, over the whole table and some options; and error feedback around each.

using namespace triage;

namespace {

std::vector<std::string> descriptions() {
  std::vector<std::string> all;
  for (const auto name : names_of(compressors()))
    all.push_back("{\"type\": \"" + std::string(name) + "\"}");
  for (const char* more :
       {R"({"type": "top_k", "ratio": 0.3, "warmup_rounds": 0})", R"({"type": "top_k", "ratio": 1})",
        R"({"type": "top_k", "ratio": 1e-6})", R"({"type": "random_k", "ratio": 0.25, "warmup_rounds": 3})",
        R"({"type": "random_k", "ratio": 1})"})
    all.emplace_back(more);
  return all;
}

template <class Check>
void for_every_compressor(const Check& check) {
  for (const auto& text : descriptions()) {
    CAPTURE(text);
    const auto made = make_compressor(json_text(text), {"test", ""});
    REQUIRE_MESSAGE(made.ok(), made.error().message);
    check(**made);
  }
}

std::vector<float> noise(std::size_t n, std::uint64_t stream) {
  rng random(21, stream);
  std::vector<float> v(n);
  for (float& x : v)
    x = static_cast<float>(random.normal() * std::exp(2.0 * random.normal()));
  return v;
}

std::vector<float> decoded(const compressor& c, const byte_block& bytes, std::size_t n) {
  std::vector<float> out(n, -7.0F);
  const auto read = c.decode(bytes, out);
  REQUIRE_MESSAGE(read.ok(), read.error().message);
  return out;
}

double square(std::span<const float> v) {
  double sum = 0.0;
  for (const float x : v)
    sum += static_cast<double>(x) * static_cast<double>(x);
  return sum;
}

double error_of(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += d * d;
  }
  return sum;
}

} // namespace

TEST_CASE("compressors: the error is within the stated bound, for values of any kind and any number") {
  for_every_compressor([](const compressor& c) {
    for (const std::size_t n : {1, 2, 31, 32, 33, 255, 256, 257, 1023, 1024, 1025, 5000})
      for (const int kind : {0, 1, 2, 3}) {
        CAPTURE(n);
        CAPTURE(kind);
        auto x = noise(n, n);
        if (kind == 1)
          std::fill(x.begin(), x.end(), 0.0F);
        if (kind == 2) // all equal: ties
          std::fill(x.begin(), x.end(), -0.25F);
        if (kind == 3)
          for (float& v : x)
            v *= 1e-30F;
        byte_block bytes;
        c.encode(x, 1000, bytes);
        const auto back = decoded(c, bytes, n);
        CHECK(error_of(x, back) <= c.worst_error(n) * square(x) * (1.0 + 1e-5) + 1e-80);
        if (kind == 1)
          CHECK(back == x);
      }
  });
}

TEST_CASE("compressors: what is sent is a function of values and round; decoding, of the bytes alone") {
  for_every_compressor([](const compressor& c) {
    const auto x = noise(3000, 1);
    byte_block a;
    byte_block b = {1, 2, 3};
    for (const std::uint64_t round : {0U, 1U, 2U, 7U, 1000U}) {
      c.encode(x, round, a);
      c.encode(x, round, b);
      CHECK(a == b);
      CHECK(decoded(c, a, 3000) == decoded(c, b, 3000));
    }
  });
}

TEST_CASE("compressors: bytes are as few as they say") {
  const auto size = [](const char* text, std::size_t n) {
    const auto c = make_compressor(json_text(text), {"test", ""});
    byte_block bytes;
    (*c)->encode(noise(n, 2), 1000, bytes);
    return bytes.size();
  };
  constexpr std::size_t n = 100000;
  CHECK(size(R"("none")", n) == 4 * n);
  CHECK(size(R"("int8")", n) == n + 4 * 391);
  CHECK(size(R"("sign")", n) == n / 8 + 4 * 98);
  CHECK(size(R"({"type": "top_k", "ratio": 0.01})", n) == 8 * n / 100 + 4);
  CHECK(size(R"({"type": "random_k", "ratio": 0.01})", n) == 4 * n / 100 + 16);
  CHECK(size(R"({"type": "top_k", "ratio": 0.6})", n) == 4 * n + 4); // places would cost more
}

TEST_CASE("compressors: top_k keeps the largest, of equal ones the first; a warm-up begins with all") {
  const auto c =
      make_compressor(json_text(R"({"type": "top_k", "ratio": 0.2, "warmup_rounds": 4})"), {"t", ""});
  const std::vector<float> x = {1, -3, 2, 2, -2, 0, 0.5F, 2, 0, 1};
  byte_block bytes;
  (*c)->encode(x, 4, bytes);
  CHECK(decoded(**c, bytes, 10) == std::vector<float>{0, -3, 2, 0, 0, 0, 0, 0, 0, 0});
  (*c)->encode(x, 0, bytes);
  CHECK(decoded(**c, bytes, 10) == x);
  // Against sorting, over many sizes.
  for (std::uint64_t s = 0; s < 50; ++s) {
    const auto values = noise(500 + 7 * s, s);
    (*c)->encode(values, 1000, bytes);
    const auto back = decoded(**c, bytes, values.size());
    const auto kept =
        static_cast<std::size_t>(std::count_if(back.begin(), back.end(), [](float v) { return v != 0; }));
    CHECK(kept == static_cast<std::size_t>(std::ceil(0.2 * static_cast<double>(values.size()))));
    float smallest_kept = std::numeric_limits<float>::max();
    float largest_left = 0.0F;
    for (std::size_t i = 0; i < values.size(); ++i)
      if (back[i] != 0.0F)
        smallest_kept = std::min(smallest_kept, std::abs(values[i]));
      else
        largest_left = std::max(largest_left, std::abs(values[i]));
    CHECK(smallest_kept >= largest_left);
  }
}

TEST_CASE(
    "compressors: bytes of another length are refused, and random ones never give anything but floats") {
  for_every_compressor([](const compressor& c) {
    rng random(3, 3);
    for (const std::size_t n : {std::size_t{1}, std::size_t{40}, std::size_t{1500}}) {
      byte_block bytes;
      c.encode(noise(n, 5), 1000, bytes);
      std::vector<float> out(n);
      for (std::size_t cut = 0; cut < bytes.size(); cut += 1 + cut / 8)
        CHECK_FALSE(c.decode(std::span(bytes).first(cut), out).ok());
      auto longer = bytes;
      longer.push_back(0);
      CHECK_FALSE(c.decode(longer, out).ok());
      for (int i = 0; i < 300; ++i) {
        auto spoilt = bytes;
        for (auto k = 1 + random.below(8); k > 0; --k)
          spoilt[random.below(spoilt.size())] = static_cast<std::uint8_t>(random.below(256));
        if (c.decode(spoilt, out).ok())
          CHECK(std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); }));
      }
    }
  });
}

TEST_CASE("error feedback: decoded value and residual are what was to be sent, in the arithmetic used") {
  for_every_compressor([](const compressor& c) {
    constexpr std::size_t n = 700;
    error_feedback feedback(c, n);
    for (std::uint64_t round = 0; round < 30; ++round) {
      const auto values = noise(n, round);
      std::vector<float> wanted(n);
      for (std::size_t i = 0; i < n; ++i)
        wanted[i] = values[i] + feedback.residual()[i];
      auto sent = values;
      byte_block bytes;
      feedback.encode(sent, bytes);
      CHECK(sent == decoded(c, bytes, n)); // what the sender counts with is what the receiver reads
      for (std::size_t i = 0; i < n; ++i)
        REQUIRE(feedback.residual()[i] == wanted[i] - sent[i]);
    }
    feedback.forget();
    CHECK(square(feedback.residual()) == 0.0);
  });
}

TEST_CASE("error feedback: without compression residuals are exactly zero") {
  const auto c = make_compressor(json_text(R"("none")"), {"test", ""});
  error_feedback feedback(**c, 300);
  for (std::uint64_t round = 0; round < 20; ++round) {
    auto values = noise(300, round);
    const auto before = values;
    byte_block bytes;
    feedback.encode(values, bytes);
    CHECK(values == before);
    CHECK(square(feedback.residual()) == 0.0);
  }
}

TEST_CASE("error feedback: residuals stay bounded over ten thousand rounds") {
  for_every_compressor([](const compressor& c) {
    constexpr std::size_t n = 64;
    error_feedback feedback(c, n);
    byte_block bytes;
    double largest = 0.0;
    double late = 0.0;
    for (std::uint64_t round = 0; round < 10000; ++round) {
      rng random(4, round);
      std::vector<float> values(n);
      for (float& x : values)
        x = static_cast<float>(random.normal());
      feedback.encode(values, bytes);
      const double size = std::sqrt(square(feedback.residual()));
      largest = std::max(largest, size);
      late = round >= 5000 ? std::max(late, size) : late;
    }
    // One value of 64 a round at worst: each waits about 64 rounds, during which it grows as a random walk.
    CHECK(largest < 64.0 * 64.0);
    CHECK(late < 3.0 * 64.0 * 8.0);
  });
}

TEST_CASE("error feedback: on an ill-conditioned quadratic it reaches the minimum, and without it does not") {
  // f(w) = sum a_i w_i^2 / 2, curvatures from 1 to 1/1000, gradients with noise of mean zero that is mostly
  // below zero and sometimes far above, which a sign alone takes for a slope.
  for (const char* text :
       {R"({"type": "sign"})", R"({"type": "top_k", "ratio": 0.05, "warmup_rounds": 0})"}) {
    CAPTURE(text);
    const auto c = make_compressor(json_text(text), {"test", ""});
    constexpr std::size_t n = 40;
    const auto curvature = [](std::size_t i) {
      return std::pow(10.0, -3.0 * static_cast<double>(i) / (n - 1));
    };
    const auto descend = [&](bool compensated) {
      std::vector<double> w(n, 1.0);
      error_feedback feedback(**c, n);
      byte_block bytes;
      rng random(6, 0);
      for (int step = 0; step < 20000; ++step) {
        const double rate = step < 10000 ? 0.05 : 0.005;
        std::vector<float> move(n);
        for (std::size_t i = 0; i < n; ++i)
          move[i] =
              static_cast<float>(rate * (curvature(i) * w[i] + 0.1 * (random.below(4) == 0 ? 3.0 : -1.0)));
        if (!compensated)
          feedback.forget();
        feedback.encode(move, bytes);
        for (std::size_t i = 0; i < n; ++i)
          w[i] -= static_cast<double>(move[i]);
      }
      double value = 0.0;
      for (std::size_t i = 0; i < n; ++i)
        value += curvature(i) * w[i] * w[i] / 2.0;
      return value;
    };
    const double with = descend(true);
    const double without = descend(false);
    MESSAGE("with " << with << ", without " << without);
    CHECK(with < 0.2 * without);
  }
}

TEST_CASE("fingerprint: any changed bit and any exchanged values change it") {
  auto v = noise(1000, 9);
  const auto original = fingerprint(v);
  for (std::size_t i = 0; i < v.size(); i += 37) {
    auto changed = v;
    changed[i] = std::nextafter(changed[i], 100.0F);
    CHECK(fingerprint(changed) != original);
    std::swap(v[i], v[(i + 1) % v.size()]);
    CHECK(fingerprint(v) != original);
    std::swap(v[i], v[(i + 1) % v.size()]);
  }
  CHECK(fingerprint(v) == original);
}
