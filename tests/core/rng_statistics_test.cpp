#include "core/rng.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <doctest/doctest.h>
#include <map>
#include <numeric>
#include <set>
#include <vector>

// Statistical sanity of the random streams. Bounds are five deviations or more: with fixed seeds a test is
// either always green or finds something.

using namespace triage;

namespace {

constexpr rng_purpose purposes[] = {
    rng_purpose::initialisation, rng_purpose::sampling,  rng_purpose::dropout, rng_purpose::augmentation,
    rng_purpose::split,          rng_purpose::synthetic, rng_purpose::probe,   rng_purpose::regime};

/// The correlation of two series of uniform numbers, in deviations of its distribution.
double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += (a[i] - 0.5) * (b[i] - 0.5);
  return sum * 12.0 / std::sqrt(static_cast<double>(a.size()));
}

std::vector<double> uniforms(rng random, std::size_t n) {
  std::vector<double> out(n);
  for (auto& x : out)
    x = random.uniform();
  return out;
}

double chi_square(const std::vector<double>& counts, double expected) {
  double sum = 0.0;
  for (const double c : counts)
    sum += (c - expected) * (c - expected) / expected;
  return sum;
}

/// Below this, chi square with so many degrees of freedom is no surprise (normal approximation, 5
/// deviations).
double chi_bound(double freedom) {
  return freedom + 5.0 * std::sqrt(2.0 * freedom);
}

} // namespace

TEST_CASE("rng: the saved state continues the stream from any position and within any kind of draw") {
  rng a(99, rng_purpose::sampling, 12);
  for (int position = 0; position < 200; ++position) {
    rng b(a.state());
    CHECK(b.state() == a.state());
    rng ahead = a;
    for (int i = 0; i < 10; ++i) {
      CHECK(ahead.uniform() == b.uniform());
      CHECK(ahead.normal() == b.normal());
      CHECK(ahead.below(1000) == b.below(1000));
      CHECK(ahead.uniform_float() == b.uniform_float());
    }
    CHECK(ahead.state() == b.state());
    a();
  }
}

TEST_CASE("rng: a stream can be positioned far ahead, over the end of 32-bit counters") {
  for (const std::uint64_t start :
       {std::uint64_t{1} << 33U, (std::uint64_t{1} << 34U) - 5, ~std::uint64_t{0} - 50}) {
    rng a(rng_state{3, 4, start});
    rng b(rng_state{3, 4, start + 7});
    for (int i = 0; i < 7; ++i)
      a();
    for (int i = 0; i < 40; ++i)
      CHECK(a() == b());
  }
  // The two halves of the counter both count.
  CHECK(rng(rng_state{3, 4, 0})() != rng(rng_state{3, 4, std::uint64_t{1} << 34U})());
}

TEST_CASE("rng: no two streams of the purposes and their first indices, of near seeds, begin alike") {
  std::set<std::uint64_t> first;
  std::size_t streams = 0;
  for (const std::uint64_t seed : {0ULL, 1ULL, 2ULL, 1ULL << 32U, ~0ULL})
    for (const auto purpose : purposes)
      for (std::uint64_t index = 0; index < 500; ++index, ++streams)
        first.insert(rng(seed, purpose, index).next_u64());
  CHECK(first.size() == streams);
}

TEST_CASE("rng: neighbouring streams, seeds and purposes are not correlated") {
  constexpr std::size_t n = 20000;
  std::vector<std::vector<double>> series;
  for (std::uint64_t i = 0; i < 4; ++i) {
    series.push_back(uniforms({1, rng_purpose::dropout, i}, n));
    series.push_back(uniforms({i + 2, rng_purpose::dropout, 0}, n));
    series.push_back(uniforms({1, purposes[i + 3], 0}, n));
  }
  for (std::size_t a = 0; a < series.size(); ++a)
    for (std::size_t b = 0; b < a; ++b)
      CHECK_MESSAGE(std::abs(correlation(series[a], series[b])) < 5.0, "series ", a, " and ", b);
}

TEST_CASE("rng: a stream is not correlated with itself a few draws later") {
  constexpr std::size_t n = 50000;
  const auto x = uniforms({7, 7}, n + 16);
  for (std::size_t lag = 1; lag <= 16; ++lag) {
    const std::vector<double> a(x.begin(), x.begin() + n);
    const std::vector<double> b(x.begin() + static_cast<std::ptrdiff_t>(lag),
                                x.begin() + static_cast<std::ptrdiff_t>(lag + n));
    CHECK_MESSAGE(std::abs(correlation(a, b)) < 5.0, "lag ", lag);
  }
}

TEST_CASE("rng: each bit of a word is one half of the time, and pairs of bytes are uniform") {
  rng random(5, 5);
  constexpr int n = 100000;
  std::array<int, 32> ones{};
  std::vector<double> pairs(65536);
  for (int i = 0; i < n; ++i) {
    const auto word = random();
    for (std::size_t b = 0; b < 32; ++b)
      ones[b] += static_cast<int>((word >> b) & 1U);
    ++pairs[word & 0xFFFFU];
    ++pairs[word >> 16U];
  }
  for (const int count : ones)
    CHECK(std::abs(count - n / 2) < 5.0 * std::sqrt(n / 4.0));
  CHECK(chi_square(pairs, 2.0 * n / 65536) < chi_bound(65535));
}

TEST_CASE("rng: one bit of seed, stream or position changes half of the word") {
  const rng_state base{0x1234, 0x9876, 40};
  for (unsigned bit = 0; bit < 64; ++bit)
    for (const int part : {0, 1, 2}) {
      int changed = 0;
      for (std::uint64_t k = 0; k < 32; ++k) {
        rng_state state = base;
        state.position += 4 * k;
        rng_state other = state;
        (part == 0 ? other.key : part == 1 ? other.stream : other.position) ^= std::uint64_t{1} << bit;
        changed += std::popcount(rng(state)() ^ rng(other)());
      }
      CAPTURE(bit);
      CAPTURE(part);
      CHECK(std::abs(changed - 32 * 16) < 5.0 * std::sqrt(32 * 32 / 4.0));
    }
}

TEST_CASE("rng: uniform numbers fill their interval evenly, in both precisions") {
  for (const bool single : {false, true}) {
    rng random(8, single ? 1 : 0);
    std::vector<double> counts(1000);
    for (int i = 0; i < 200000; ++i) {
      const double u = single ? static_cast<double>(random.uniform_float()) : random.uniform();
      REQUIRE(u >= 0.0);
      REQUIRE(u < 1.0);
      ++counts[static_cast<std::size_t>(u * 1000.0)];
    }
    CHECK(chi_square(counts, 200.0) < chi_bound(999));
  }
}

TEST_CASE("rng: below is even for small bounds, and for bounds that 2^64 is no multiple of") {
  for (const std::uint64_t bound : {1ULL, 2ULL, 3ULL, 10ULL, 97ULL, 256ULL}) {
    rng random(bound, 1);
    std::vector<double> counts(bound);
    const double each = 1000.0;
    for (std::uint64_t i = 0; i < bound * 1000; ++i)
      ++counts[random.below(bound)];
    CAPTURE(bound);
    CHECK(chi_square(counts, each) <= chi_bound(static_cast<double>(bound - 1)));
  }
  // Without rejection, the lower third would get half of all.
  const std::uint64_t bound = 3ULL << 62U;
  rng random(1, 2);
  std::vector<double> thirds(3);
  for (int i = 0; i < 30000; ++i)
    ++thirds[random.below(bound) >> 62U];
  CHECK(chi_square(thirds, 10000.0) < chi_bound(2));
  CHECK(random.below(~0ULL) < ~0ULL);
}

TEST_CASE("rng: normal numbers have the quantiles of a normal distribution, and its tails") {
  rng random(21, 3);
  constexpr std::size_t n = 200000;
  std::vector<double> x(n);
  double fourth = 0.0;
  double third = 0.0;
  for (auto& v : x) {
    v = random.normal();
    REQUIRE(std::isfinite(v));
    third += v * v * v;
    fourth += v * v * v * v;
  }
  std::sort(x.begin(), x.end());
  double largest = 0.0; // Kolmogorov-Smirnov
  for (std::size_t i = 0; i < n; ++i) {
    const double phi = 0.5 * std::erfc(-x[i] / std::sqrt(2.0));
    largest = std::max(largest, std::abs(phi - (static_cast<double>(i) + 0.5) / n));
  }
  CHECK(largest < 2.0 / std::sqrt(static_cast<double>(n)));
  CHECK(std::abs(third / n) < 5.0 * std::sqrt(15.0 / n));
  CHECK(std::abs(fourth / n - 3.0) < 5.0 * std::sqrt(96.0 / n));
  CHECK(x.back() > 3.9);
  CHECK(x.front() < -3.9);
}

TEST_CASE("rng: every order of four is equally likely after a shuffle") {
  rng random(4, 4);
  std::map<std::array<int, 4>, double> seen;
  for (int i = 0; i < 24000; ++i) {
    std::array<int, 4> v{0, 1, 2, 3};
    shuffle(v, random);
    ++seen[v];
  }
  REQUIRE(seen.size() == 24);
  std::vector<double> counts;
  for (const auto& [order, count] : seen)
    counts.push_back(count);
  CHECK(chi_square(counts, 1000.0) < chi_bound(23));
}

TEST_CASE("rng: shuffling nothing or one thing takes no number from the stream") {
  rng random(1, 1);
  std::vector<int> none;
  std::vector<int> one = {7};
  shuffle(none, random);
  shuffle(one, random);
  CHECK(random.state().position == 0);
  CHECK(one == std::vector<int>{7});
}
