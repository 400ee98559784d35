#include "sampling/sum_tree.hpp"

#include "core/rng.hpp"
#include "statistics_support.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>
#include <vector>

using namespace triage;
using namespace triage::test;

namespace {

/// A linear scan: the first index whose cumulative sum is above the mass.
std::size_t scan(const std::vector<float>& weights, double mass) {
  double sum = 0.0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum += static_cast<double>(weights[i]);
    if (mass < sum)
      return i;
  }
  return weights.size();
}

} // namespace

TEST_CASE("sum tree: a prefix query equals the linear scan after each of 10^5 random updates") {
  // Multiples of 1/1024 add up without rounding, so the scan and the tree must agree to the last bit.
  constexpr std::size_t n = 777;
  sum_tree tree(n);
  std::vector<float> weights(n, 0.0F);
  rng random(13, 1);
  double total = 0.0;
  for (int i = 0; i < 100'000; ++i) {
    const auto k = static_cast<std::size_t>(random.below(n));
    const float w = random.uniform() < 0.3 ? 0.0F : static_cast<float>(random.below(2048)) / 1024.0F;
    total += static_cast<double>(w) - static_cast<double>(weights[k]);
    weights[k] = w;
    tree.set(k, w);
    REQUIRE(tree.total() == total);
    if (!(total > 0.0))
      continue;
    const double mass = std::floor(random.uniform() * total * 1024.0) / 1024.0; // often exactly on a border
    REQUIRE(tree.find(mass) == scan(weights, mass));
  }
}

TEST_CASE("sum tree: updates one by one and all at once end in the same tree, for every number of levels") {
  for (const std::size_t n : {1U, 2U, 16U, 17U, 255U, 256U, 257U, 4096U, 4097U, 70'000U}) {
    CAPTURE(n);
    rng random(13, n);
    std::vector<float> weights(n);
    for (float& w : weights)
      w = random.uniform_float();
    sum_tree assigned(n);
    assigned.assign(weights);
    sum_tree updated(n);
    for (std::size_t i = n; i > 0; --i)
      updated.set(i - 1, weights[i - 1]);
    CHECK(assigned.total() == updated.total());
    CHECK(assigned.size() == n);
    CHECK(std::equal(weights.begin(), weights.end(), assigned.weights().begin()));
    for (int k = 0; k < 200; ++k) {
      const double mass = random.uniform() * assigned.total();
      REQUIRE(assigned.find(mass) == updated.find(mass));
    }
    CHECK(assigned.find(0.0) == 0);
    CHECK(assigned.total() == doctest::Approx(std::accumulate(weights.begin(), weights.end(), 0.0)));
  }
}

TEST_CASE("sum tree: draws come in proportion to the weights: chi-square, p above 0.01") {
  constexpr std::size_t n = 300;
  sum_tree tree(n);
  rng random(14, 1);
  std::vector<float> weights(n);
  for (float& w : weights)
    w = random.uniform() < 0.2 ? 0.0F : 0.1F + random.uniform_float();
  tree.assign(weights);
  constexpr std::size_t draws = 400'000;
  std::vector<double> counts(n, 0.0);
  std::vector<double> masses(1000);
  std::vector<std::uint32_t> found(masses.size());
  for (std::size_t k = 0; k < draws; k += masses.size()) {
    for (double& m : masses)
      m = random.uniform() * tree.total();
    tree.find(masses, found);
    for (const auto id : found)
      counts[id] += 1.0;
  }
  double statistic = 0.0;
  std::size_t possible = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!(weights[i] > 0.0F)) {
      CHECK(counts[i] == 0.0);
      continue;
    }
    ++possible;
    const double expected = static_cast<double>(draws) * static_cast<double>(weights[i]) / tree.total();
    statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  CHECK(statistic < chi_square_limit(possible - 1));
}

TEST_CASE("sum tree: weights of very different sizes: the small ones are still found, by their share") {
  sum_tree tree(100);
  tree.set(3, 1e30F);
  tree.set(97, 1e-30F);
  CHECK(tree.find(0.0) == 3);
  CHECK(tree.find(1e29) == 3);
  CHECK(tree.find(tree.total() * 2.0) == 97); // rounding asked for more than there is
  tree.set(3, 0.0F);
  CHECK(tree.total() == doctest::Approx(1e-30));
  CHECK(tree.find(0.0) == 97);
}

TEST_CASE("sum tree: mass at or beyond the total is the last point with a weight, never one without") {
  rng random(15, 1);
  for (int round = 0; round < 300; ++round) {
    const std::size_t n = 1 + random.below(600);
    sum_tree tree(n);
    std::vector<float> weights(n, 0.0F);
    for (int k = 0; k < 5; ++k)
      weights[random.below(n)] = random.uniform_float() + 0.01F;
    tree.assign(weights);
    for (const double beyond : {0.0, 1e-9, 1.0}) {
      const auto found = tree.find(tree.total() + beyond);
      REQUIRE(found < n);
      REQUIRE(weights[found] > 0.0F);
    }
  }
}
