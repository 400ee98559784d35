#include "apps/race/statistics.hpp"
#include "core/rng.hpp"

#include <cmath>
#include <doctest/doctest.h>

using namespace triage;

TEST_CASE("race: medians, also with infinities") {
  CHECK(median({3.0, 1.0, 2.0}) == 2.0);
  CHECK(median({4.0, 1.0, 2.0, 3.0}) == 2.5);
  CHECK(median({5.0}) == 5.0);
  CHECK(std::isnan(median({})));
  CHECK(median({1.0, not_reached, 2.0}) == 2.0);
  CHECK(std::isinf(median({1.0, not_reached, not_reached})));
  CHECK(std::isinf(median({1.0, 2.0, not_reached, not_reached})));
  CHECK(std::isinf(median({not_reached, not_reached})));
}

TEST_CASE("race: the ratio of medians and its extremes") {
  CHECK(*median_ratio({4.0, 4.0}, {2.0}) == 2.0);
  CHECK(*median_ratio({0.0}, {0.0}) == 1.0);
  CHECK(*median_ratio({1.0}, {not_reached}) == 0.0);
  CHECK(std::isinf(*median_ratio({not_reached}, {1.0})));
  CHECK(!median_ratio({not_reached}, {not_reached}));
}

TEST_CASE("race: the bootstrap interval covers the known ratio in nine of ten races or more") {
  rng random(6, 1);
  int same = 0;
  int twice = 0;
  double width = 0.0;
  for (int i = 0; i < 200; ++i) {
    std::vector<double> a;
    std::vector<double> b;
    std::vector<double> slow;
    for (int k = 0; k < 9; ++k) {
      a.push_back(10.0 + random.normal());
      b.push_back(10.0 + random.normal());
      slow.push_back(20.0 + 2.0 * random.normal());
    }
    same += bootstrap_ratio(a, b, 1, 500)->contains(1.0) ? 1 : 0;
    const auto interval = *bootstrap_ratio(slow, a, 1, 500);
    twice += interval.contains(2.0) ? 1 : 0;
    width += (interval.high - interval.low) / 200.0;
  }
  CHECK(same >= 180);
  CHECK(twice >= 180);
  // Each median has a standard error of about 1.25 / sqrt(9) of a tenth: 6 % of the ratio, times 2 x 1.96.
  CHECK(width > 0.2);
  CHECK(width < 0.8);
}

TEST_CASE("race: the same numbers give the same interval, and constants a point") {
  const std::vector<double> a = {3.0, 4.0, 5.0, 6.0};
  const std::vector<double> b = {2.0, 3.0, 2.5, 2.2};
  const auto one = *bootstrap_ratio(a, b, 9);
  const auto two = *bootstrap_ratio(a, b, 9);
  CHECK(one.low == two.low);
  CHECK(one.high == two.high);
  const auto constant = *bootstrap_ratio({6.0, 6.0, 6.0}, {3.0, 3.0, 3.0}, 9);
  CHECK(constant.low == 2.0);
  CHECK(constant.high == 2.0);
  CHECK(!bootstrap_ratio({6.0}, {3.0, 3.0}, 9));
}

TEST_CASE("race: seeds that do not get there widen the interval honestly") {
  const auto arm_never = *bootstrap_ratio({1.0, 1.1, 1.2, 1.0, 1.1}, std::vector<double>(5, not_reached), 1);
  CHECK(arm_never.low == 0.0);
  CHECK(arm_never.high == 0.0);
  const auto baseline_never =
      *bootstrap_ratio(std::vector<double>(5, not_reached), {1.0, 1.1, 1.2, 1.0, 1.1}, 1);
  CHECK(std::isinf(baseline_never.low));
  const auto half = *bootstrap_ratio({1.0, 1.1, 1.2, not_reached, not_reached}, {1.0, 1.1, 1.2, 1.0, 1.1}, 1);
  CHECK(half.low < 1.0);
  CHECK(std::isinf(half.high));
  // Neither is known to get there: anything is possible.
  const auto neither =
      *bootstrap_ratio(std::vector<double>(5, not_reached), std::vector<double>(5, not_reached), 1);
  CHECK(neither.low == 0.0);
  CHECK(std::isinf(neither.high));
}

TEST_CASE("mean interval: Student's t, from two values on") {
  CHECK(!mean_interval({}));
  CHECK(!mean_interval({1.0}));
  const auto two = mean_interval({1.0, 3.0}); // one degree of freedom: 12.7062
  REQUIRE(two);
  CHECK(two->low == doctest::Approx(2.0 - 12.7062).epsilon(1e-4));
  CHECK(two->high == doctest::Approx(2.0 + 12.7062).epsilon(1e-4));
  const auto ten = mean_interval({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}); // nine: 2.26216
  CHECK(ten->low == doctest::Approx(5.5 - 2.26216 * 3.02765 / std::sqrt(10.0)).epsilon(1e-4));
  const auto same = mean_interval({0.5, 0.5, 0.5});
  CHECK(same->low == 0.5);
  CHECK(same->high == 0.5);
}
