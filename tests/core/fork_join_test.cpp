#include "core/fork_join.hpp"

#include <atomic>
#include <doctest/doctest.h>
#include <set>
#include <thread>

using namespace triage;

TEST_CASE("every lane does its share in every round, on a thread of its own, before run returns") {
  for (const std::size_t lanes : {1U, 2U, 5U}) {
    CAPTURE(lanes);
    fork_join pool(lanes);
    REQUIRE(pool.lanes() == lanes);
    std::vector<int> calls(lanes, 0); // not atomic: run orders what lanes write before what the caller reads
    std::vector<std::thread::id> threads(lanes);
    for (int round = 1; round <= 2000; ++round) {
      pool.run([&](std::size_t lane) {
        ++calls[lane];
        threads[lane] = std::this_thread::get_id();
      });
      for (const int c : calls)
        REQUIRE(c == round);
    }
    CHECK(std::set<std::thread::id>(threads.begin(), threads.end()).size() == lanes);
    CHECK(threads[0] == std::this_thread::get_id());
  }
}

TEST_CASE("a pool that never ran ends at once") {
  const fork_join pool(4);
}
