#include "sampling/epoch_order.hpp"

#include "source_support.hpp"

#include <algorithm>
#include <set>

using namespace triage;
using namespace triage::test;

TEST_CASE("epoch order: every pass is everybody once, however it is cut, and passes differ") {
  rng random(1, 2);
  for (const std::size_t n : {1U, 2U, 7U, 100U, 1000U}) {
    CAPTURE(n);
    epoch_order order;
    order.start(n);
    CHECK(order.points() == n);
    CHECK(order.left() == 0);
    std::vector<std::vector<std::uint32_t>> passes;
    for (int pass = 0; pass < 4; ++pass) {
      std::vector<std::uint32_t> seen;
      do {
        order.begin_pass_if_needed(random);
        const std::size_t k = 1 + random.below(order.left());
        const auto ids = order.take(k);
        REQUIRE(ids.size() == k);
        seen.insert(seen.end(), ids.begin(), ids.end());
        REQUIRE(order.left() == n - seen.size());
        REQUIRE(order.position() == seen.size());
      } while (seen.size() < n);
      CHECK(std::set<std::uint32_t>(seen.begin(), seen.end()).size() == n);
      passes.push_back(seen);
    }
    if (n >= 7) {
      CHECK(passes[0] != passes[1]);
      CHECK(passes[1] != passes[2]);
    }
  }
}

TEST_CASE("epoch order: a pass that has begun is not begun again") {
  rng random(1, 3);
  epoch_order order;
  order.start(50);
  order.begin_pass_if_needed(random);
  const auto state = random.state();
  (void)order.take(20);
  order.begin_pass_if_needed(random);
  CHECK(random.state() == state);
  CHECK(order.left() == 30);
}

TEST_CASE(
    "epoch order: saved in the middle it goes on with the same points; orders of other data are refused") {
  rng random(1, 4);
  epoch_order order;
  order.start(60);
  order.begin_pass_if_needed(random);
  (void)order.take(25);
  epoch_order copy;
  copy.start(60);
  REQUIRE(copy.load(order.save()).ok());
  const auto rest = order.take(35);
  const auto same = copy.take(35);
  CHECK(std::equal(rest.begin(), rest.end(), same.begin(), same.end()));
  epoch_order other;
  other.start(61);
  CHECK(!other.load(order.save()).ok());
  auto state = order.save();
  state.put("position", std::vector<std::uint64_t>{61});
  CHECK(!copy.load(state).ok());
  state = order.save();
  state.put("order", std::vector<std::uint32_t>(60, 60));
  CHECK(!copy.load(state).ok());
}

TEST_CASE("epoch order: of very many points nothing is stored, and all else is the same") {
  constexpr std::size_t points = 300'000;
  rng random(1, 5);
  epoch_order order;
  order.start(points);
  std::vector<std::uint32_t> before;
  for (int pass = 0; pass < 2; ++pass) {
    CAPTURE(pass);
    std::vector<std::uint32_t> seen;
    while (seen.size() < points) {
      order.begin_pass_if_needed(random);
      const auto ids = order.take(std::min<std::size_t>(1 + random.below(9000), order.left()));
      seen.insert(seen.end(), ids.begin(), ids.end());
    }
    CHECK(order.left() == 0);
    CHECK(std::set<std::uint32_t>(seen.begin(), seen.end()).size() == points);
    CHECK(seen != before);
    before = seen;
  }
  order.begin_pass_if_needed(random);
  (void)order.take(1234);
  const auto state = order.save();
  CHECK(state.get<std::uint32_t>("order").value().empty());
  epoch_order copy;
  copy.start(points);
  REQUIRE(copy.load(state).ok());
  CHECK(copy.left() == order.left());
  const auto rest = order.take(order.left());
  const auto same = copy.take(copy.left());
  CHECK(std::equal(rest.begin(), rest.end(), same.begin(), same.end()));

  const auto refused = [&](std::vector<std::uint64_t> computed, std::uint64_t position, std::size_t n) {
    saved_state bad;
    bad.put("order", std::vector<std::uint32_t>{});
    bad.put("position", std::vector<std::uint64_t>{position});
    bad.put("computed", std::move(computed));
    epoch_order other;
    other.start(n);
    return !other.load(bad).ok();
  };
  CHECK(!refused({7, 10}, 10, points));
  CHECK(refused({7, 10}, 11, points));         // more points than places
  CHECK(refused({7, 2 * points}, 10, points)); // no such place
  CHECK(refused({7}, 10, points));
  CHECK(refused({7, 10}, 10, 1000)); // so few are stored
}

TEST_CASE("epoch order: a large order that an earlier version has stored is used up, and then computed") {
  constexpr std::uint32_t points = 270'000;
  std::vector<std::uint32_t> stored(points);
  for (std::uint32_t i = 0; i < points; ++i)
    stored[i] = points - 1 - i;
  saved_state state;
  state.put("order", stored);
  state.put("position", std::vector<std::uint64_t>{points - 3});
  epoch_order order;
  order.start(points);
  REQUIRE(order.load(state).ok());
  REQUIRE(order.left() == 3);
  const auto rest = order.take(3);
  CHECK(std::vector<std::uint32_t>(rest.begin(), rest.end()) == std::vector<std::uint32_t>{2, 1, 0});
  rng random(1, 6);
  order.begin_pass_if_needed(random);
  CHECK(order.save().get<std::uint32_t>("order").value().empty());
  const auto ids = order.take(points);
  CHECK(std::set<std::uint32_t>(ids.begin(), ids.end()).size() == points);
}
