#include "sampling/computed_order.hpp"

#include "core/rng.hpp"
#include "statistics_support.hpp"

#include <algorithm>
#include <array>
#include <doctest/doctest.h>
#include <numeric>
#include <vector>

using namespace triage;
using namespace triage::test;

namespace {

/// Of counts that should be even.
double chi_square(const std::vector<double>& counts) {
  const double expected =
      std::accumulate(counts.begin(), counts.end(), 0.0) / static_cast<double>(counts.size());
  double sum = 0.0;
  for (const double c : counts)
    sum += (c - expected) * (c - expected) / expected;
  return sum;
}

/// The whole order, taken in stretches of random length.
std::vector<std::uint32_t> whole(std::size_t points, std::uint64_t key, rng& random) {
  computed_order order(points, key);
  std::vector<std::uint32_t> all(points);
  for (std::size_t at = 0; at < points;) {
    const std::size_t n = std::min<std::size_t>(random.below(3000), points - at);
    order.take(std::span(all).subspan(at, n));
    at += n;
  }
  return all;
}

} // namespace

TEST_CASE("a computed order holds every point once, however it is cut") {
  rng random(3, rng_purpose::synthetic);
  for (const std::size_t points : {1U, 2U, 3U, 7U, 64U, 1000U, 4099U, 65536U, 262145U, 1000003U}) {
    CAPTURE(points);
    const auto order = whole(points, 5, random);
    CHECK(order == whole(points, 5, random));
    auto sorted = order;
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::uint32_t> all(points);
    std::iota(all.begin(), all.end(), 0U);
    CHECK(sorted == all);
    if (points > 60)
      CHECK(order != whole(points, 6, random));
  }
}

TEST_CASE("a computed order: where a point comes says nothing about which it is") {
  rng random(4, rng_purpose::synthetic);
  constexpr std::size_t points = 1'000'000;
  constexpr std::size_t cells = 40;
  const auto order = whole(points, 77, random);
  std::vector<double> places(cells * cells, 0.0);
  std::vector<double> steps(cells, 0.0);
  std::vector<double> parities(8, 0.0);
  for (std::size_t i = 0; i < points; ++i) {
    places[i * cells / points * cells + order[i] * cells / points] += 1.0;
    // From one point to the next, around the circle: neighbours must not stay neighbours.
    const std::size_t step = (points + order[(i + 1) % points] - order[i]) % points;
    steps[step * cells / points] += 1.0;
    parities[i % 2 * 4 + order[i] % 4] += 1.0;
  }
  for (const auto& counts : {places, steps, parities}) {
    CAPTURE(counts.size());
    CHECK(chi_square(counts) < chi_square_limit(counts.size() - 1));
  }
}

TEST_CASE("computed orders: over the keys every point is as likely at a place, and every pair at two") {
  constexpr std::size_t points = 300'000;
  constexpr std::size_t cells = 20;
  constexpr std::size_t keys = 40'000;
  for (const std::uint64_t place : {0U, 1U, 547U, 299'990U}) {
    CAPTURE(place);
    std::vector<double> pairs(cells * cells, 0.0);
    for (std::uint64_t key = 0; key < keys; ++key) {
      computed_order order(points, key);
      REQUIRE(order.go_to(place, place));
      std::array<std::uint32_t, 2> two{};
      order.take(two);
      pairs[two[0] * cells / points * cells + two[1] * cells / points] += 1.0;
    }
    CHECK(chi_square(pairs) < chi_square_limit(pairs.size() - 1));
  }
}

TEST_CASE("a computed order goes on from where it was, and knows places that cannot be") {
  computed_order order(5000, 9);
  std::vector<std::uint32_t> first(1234);
  order.take(first);
  computed_order later(5000, order.key());
  REQUIRE(later.go_to(order.place(), first.size()));
  std::vector<std::uint32_t> rest(5000 - 1234);
  std::vector<std::uint32_t> same(rest.size());
  order.take(rest);
  later.take(same);
  CHECK(rest == same);
  CHECK(!later.go_to(order.range() + 1, 5000));
  CHECK(!later.go_to(100, 101)); // more points than places
  CHECK(!later.go_to(order.range(), 5000 - 1));
}
