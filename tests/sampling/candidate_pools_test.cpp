#include "sampling/candidate_pools.hpp"

#include "source_support.hpp"

#include <limits>

using namespace triage;
using namespace triage::test;

TEST_CASE("candidate pools: they are taken in their order, and an order never reaches over two of them") {
  candidate_pools pools;
  CHECK(!pools.front_ready());
  std::vector<std::uint32_t> ids;
  CHECK(!pools.next(5, ids));
  pools.add(std::vector<std::uint32_t>{1, 2, 3}, false);
  pools.add(std::vector<std::uint32_t>{4, 5}, true);
  const auto first = pools.next(2, ids);
  const auto second = pools.next(2, ids);
  const auto third = pools.next(9, ids);
  CHECK(ids == std::vector<std::uint32_t>{1, 2, 3, 4, 5});
  REQUIRE(first);
  REQUIRE(third);
  CHECK(*first == *second);
  CHECK(*first != *third);
  CHECK(!pools.next(9, ids));
  pools.arrived(*third, 2);
  CHECK(!pools.front_ready()); // the second is, the first is not
  pools.arrived(*first, 2);
  CHECK(!pools.front_ready());
  pools.arrived(*first, 5); // more than was asked for
  CHECK(pools.front_ready());
  const auto front = pools.take_front();
  CHECK(front.ids == std::vector<std::uint32_t>{1, 2, 3});
  CHECK(!front.ends_pass);
  pools.arrived(*first, 1); // late: its pool is gone
  CHECK(pools.front_ready());
  CHECK(pools.take_front().ends_pass);
  CHECK(pools.size() == 0);
}

TEST_CASE(
    "candidate pools: loaded ones are measured again, with the passes' ends kept; damaged ones are refused") {
  candidate_pools pools;
  pools.add(std::vector<std::uint32_t>{1, 2, 3}, false);
  pools.add(std::vector<std::uint32_t>{4}, true);
  std::vector<std::uint32_t> ids;
  pools.arrived(*pools.next(3, ids), 3);
  candidate_pools copy;
  REQUIRE(copy.load(pools.save(), 5).ok());
  CHECK(copy.size() == 2);
  CHECK(!copy.front_ready());
  ids.clear();
  copy.arrived(*copy.next(3, ids), 3);
  CHECK(ids == std::vector<std::uint32_t>{1, 2, 3});
  (void)copy.take_front();
  copy.give_up_waiting();
  CHECK(copy.front_ready());
  CHECK(copy.take_front().ends_pass);

  CHECK(!copy.load(pools.save(), 4).ok()); // point 4 is not there
  auto state = pools.save();
  state.put("shapes", std::vector<std::uint64_t>{std::numeric_limits<std::uint64_t>::max(), 0});
  CHECK(!copy.load(state, 5).ok());
  state.put("shapes", std::vector<std::uint64_t>{3, 0});
  CHECK(!copy.load(state, 5).ok()); // one candidate is left over
}
