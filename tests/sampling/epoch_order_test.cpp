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
