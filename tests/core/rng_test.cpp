#include "core/rng.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>
#include <vector>

using namespace triage;

TEST_CASE("philox matches the published known-answer vector") {
  // Random123's kat_vectors: philox4x32-10, counter and key all zero.
  rng zero(0, 0);
  CHECK(zero() == 0x6627e8d5U);
  CHECK(zero() == 0xe169c58dU);
  CHECK(zero() == 0xbc57ac4cU);
  CHECK(zero() == 0x9b00dbd8U);
}

TEST_CASE("a stream continues exactly from its saved state") {
  rng a(7, rng_purpose::sampling, 3);
  for (int i = 0; i < 13; ++i)
    a();
  rng b(a.state());
  for (int i = 0; i < 100; ++i)
    CHECK(a() == b());
}

TEST_CASE("filling is drawing word by word") {
  rng one(7, rng_purpose::sampling, 3);
  rng many(7, rng_purpose::sampling, 3);
  for (const std::size_t n : {1U, 2U, 5U, 64U, 0U, 4U, 333U, 3U}) {
    std::vector<std::uint32_t> words(n);
    many.fill(words);
    for (const auto w : words)
      REQUIRE(w == one());
    CHECK(many.state() == one.state());
    CHECK(many() == one()); // also from the middle of a block
  }
}

TEST_CASE("streams of one seed differ, and so do seeds") {
  rng a(1, rng_purpose::dropout, 0);
  rng b(1, rng_purpose::dropout, 1);
  rng c(1, rng_purpose::split, 0);
  rng d(2, rng_purpose::dropout, 0);
  const auto first = a.next_u64();
  CHECK(first != b.next_u64());
  CHECK(first != c.next_u64());
  CHECK(first != d.next_u64());
}

TEST_CASE("moments of uniform and normal numbers") {
  rng r(11, 0);
  double sum = 0.0;
  double square = 0.0;
  double uniform_sum = 0.0;
  constexpr int n = 200000;
  for (int i = 0; i < n; ++i) {
    const double x = r.normal();
    sum += x;
    square += x * x;
    const double u = r.uniform();
    CHECK_UNARY(u >= 0.0 && u < 1.0);
    uniform_sum += u;
  }
  CHECK(std::abs(sum / n) < 0.01);
  CHECK(std::abs(square / n - 1.0) < 0.02);
  CHECK(std::abs(uniform_sum / n - 0.5) < 0.005);
}

TEST_CASE("below is uniform and stays below") {
  rng r(5, 0);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i)
    ++counts.at(r.below(7));
  double chi_square = 0.0;
  for (const int c : counts)
    chi_square += (c - 10000.0) * (c - 10000.0) / 10000.0;
  CHECK(chi_square < 22.5); // 6 degrees of freedom, p = 0.001
}

TEST_CASE("shuffle permutes") {
  std::vector<int> v(1000);
  std::iota(v.begin(), v.end(), 0);
  rng r(3, 0);
  shuffle(v, r);
  CHECK(!std::is_sorted(v.begin(), v.end()));
  std::sort(v.begin(), v.end());
  CHECK(v.front() == 0);
  CHECK(v.back() == 999);
  CHECK(std::adjacent_find(v.begin(), v.end()) == v.end());
}
