#include "core/communication_period.hpp"

#include "core/rng.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using namespace triage;

TEST_CASE("communication period: the rule's table, from the paper") {
  CHECK(next_period(20, 20, 0.25, 1.0, 0.5) == 10);
  CHECK(next_period(20, 20, 1.0, 1.0, 0.5) == 10);  // no progress: halved
  CHECK(next_period(20, 40, 0.25, 0.1, 0.5) == 32); // ceil(20 sqrt(2.5)) where 40 were before
  CHECK(next_period(20, 20, 0.25, 0.1, 0.5) == 10); // it may not rise
  CHECK(next_period(20, 1, 0.5, 1.0, 0.5) == 1);    // never 0
  CHECK(next_period(20, 20, 0.0, 1.0, 0.5) == 1);
  CHECK(next_period(16, 16, 0.99, 1.0, 0.5) == 8); // ceil gives 16 again
  CHECK(next_period(16, 8, 0.2, 1.0, 0.5) == 4);   // ceil gives 8
  CHECK(next_period(16, 8, 0.1, 1.0, 0.5) == 6);
}

TEST_CASE("communication period: what is not a number shortens it, and neither zeroes nor lengthens it") {
  for (const double ratio : {std::nan(""), std::numeric_limits<double>::infinity(), -1.0})
    CHECK(next_period(20, 12, ratio, 1.0, 0.5) == 6);
  CHECK(next_period(20, 12, 0.5, 0.0, 0.5) == 6); // a rate of zero
}

TEST_CASE("communication period: under a noisy falling loss it never rises, and comes down to one") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    rng random(seed, 0);
    communication_period period(64, {.interval_seconds = 1.0});
    std::int64_t last = period.steps();
    CHECK(last == 64);
    for (int round = 0; round < 400; ++round) {
      const double loss = 2.3 * std::exp(-0.02 * round) * std::exp(0.3 * random.normal());
      period.merged(loss, 0.1, 0.25 * round);
      CHECK(period.steps() <= last);
      CHECK(period.steps() >= 1);
      last = period.steps();
    }
    CHECK(last == 1);
  }
}

TEST_CASE("communication period: it is looked at once in an interval of training time") {
  communication_period period(32, {.interval_seconds = 10.0});
  CHECK_FALSE(period.merged(1.0, 0.1, 0.0));
  for (int second = 1; second < 10; ++second)
    CHECK_FALSE(period.merged(0.01, 0.1, second));
  CHECK(period.merged(0.01, 0.1, 10.0));
  const auto then = period.steps();
  CHECK(then < 32);
  CHECK_FALSE(period.merged(0.01, 0.1, 19.9));
  CHECK(period.steps() == then);
}

TEST_CASE("communication period: the learning rate counts where it is asked to") {
  communication_period plain(100, {.interval_seconds = 1.0});
  communication_period follows(100, {.interval_seconds = 1.0, .follows_rate = true});
  for (auto* p : {&plain, &follows}) {
    p->merged(1.0, 0.1, 0.0);
    for (int i = 0; i < 200; ++i)
      p->merged(0.0399, 0.1, 0.5);
  }
  plain.merged(0.0399, 0.025, 1.0);
  follows.merged(0.0399, 0.025, 1.0);
  CHECK(plain.steps() == 20);
  CHECK(follows.steps() == 40);
}

TEST_CASE("communication period: a saved one goes on as the original, and nonsense is refused") {
  communication_period a(32, {.interval_seconds = 1.0});
  for (int i = 0; i < 30; ++i)
    a.merged(1.0 / (1.0 + i), 0.1, 0.3 * i);
  communication_period b(32, {.interval_seconds = 1.0});
  REQUIRE(b.load(a.save()).ok());
  for (int i = 30; i < 90; ++i) {
    CHECK(a.merged(1.0 / (1.0 + i), 0.1, 0.3 * i) == b.merged(1.0 / (1.0 + i), 0.1, 0.3 * i));
    CHECK(a.steps() == b.steps());
  }
  communication_period shorter(4, {.interval_seconds = 1.0});
  auto state = communication_period(32, {.interval_seconds = 1.0}).save();
  REQUIRE(shorter.load(state).ok()); // it was told to begin with fewer
  CHECK(shorter.steps() == 4);
  CHECK_FALSE(shorter.load({}).ok());
}
