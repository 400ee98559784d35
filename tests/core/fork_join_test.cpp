#include "core/fork_join.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <doctest/doctest.h>
#include <mutex>
#include <set>
#include <thread>

using namespace triage;

TEST_CASE("every piece is done once in every round, before run returns") {
  for (const std::size_t lanes : {1U, 2U, 5U})
    for (const std::size_t pieces : {0U, 1U, 2U, 37U}) {
      CAPTURE(lanes);
      fork_join pool(lanes);
      REQUIRE(pool.lanes() == lanes);
      std::vector<int> calls(pieces,
                             0); // not atomic: run orders what lanes write before what the caller reads
      for (int round = 1; round <= 1000; ++round) {
        pool.run(pieces, [&](std::size_t, std::size_t piece) { ++calls[piece]; });
        for (const int c : calls)
          REQUIRE(c == round);
      }
    }
}

TEST_CASE("lanes are threads of their own, and lane 0 is the caller") {
  fork_join pool(3);
  std::mutex lock;
  std::condition_variable all_here;
  std::set<std::thread::id> threads;
  const auto caller = std::this_thread::get_id();
  // Each piece waits until all lanes hold one: so all of them must take part.
  pool.run(3, [&](std::size_t lane, std::size_t) {
    std::unique_lock guard(lock);
    CHECK((lane == 0) == (std::this_thread::get_id() == caller));
    threads.insert(std::this_thread::get_id());
    all_here.notify_all();
    all_here.wait(guard, [&] { return threads.size() == 3; });
  });
  CHECK(threads.size() == 3);
}

TEST_CASE("a lane that is late keeps nobody waiting, and does not work on a round that is over") {
  fork_join pool(8);
  std::atomic<int> running{0};
  for (int round = 0; round < 3000; ++round) {
    std::vector<int> here(4, 0); // gone when the round is over
    pool.run(here.size(), [&](std::size_t, std::size_t piece) {
      ++running;
      here[piece] = round;
      --running;
    });
    REQUIRE(running == 0);
    REQUIRE(here == std::vector<int>(4, round));
  }
}

TEST_CASE("a pool that never ran ends at once") {
  const fork_join pool(4);
}

TEST_CASE("every piece is done once also when each core has its own") {
  for (const std::size_t lanes : {1U, 2U, 5U})
    for (const std::size_t pieces : {0U, 1U, 3U, 37U}) {
      CAPTURE(lanes);
      fork_join pool(lanes);
      std::vector<int> calls(pieces, 0);
      for (int round = 1; round <= 1000; ++round) {
        pool.run(
            pieces, [&](std::size_t, std::size_t piece) { ++calls[piece]; }, fork_join::order::by_core);
        for (const int c : calls)
          REQUIRE(c == round);
      }
    }
}

TEST_CASE("guests take part in a round, one a lane, and are free when it is over") {
  constexpr std::chrono::seconds long_enough{20};
  fork_join pool(3, fork_join::threads::guests);
  REQUIRE(pool.lanes() == 3);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> returned{0};
    std::vector<std::jthread> guests;
    guests.reserve(2);
    for (int i = 0; i < 2; ++i)
      guests.emplace_back([&] {
        pool.assist(long_enough);
        ++returned;
      });
    std::mutex lock;
    std::condition_variable all_here;
    std::set<std::size_t> lanes;
    pool.run(3, [&](std::size_t lane, std::size_t) { // each waits for the others: so the guests must come
      std::unique_lock guard(lock);
      lanes.insert(lane);
      all_here.notify_all();
      all_here.wait(guard, [&] { return lanes.size() == 3; });
    });
    CHECK(lanes == std::set<std::size_t>{0, 1, 2});
    guests.clear(); // joins
    CHECK(returned == 2);
  }
}

TEST_CASE("a guest returns when no lane is free, when it is told, and when its patience is over") {
  constexpr std::chrono::seconds long_enough{20};
  fork_join alone(1, fork_join::threads::guests);
  alone.assist(long_enough); // the caller's lane is no guest's
  fork_join occupied(2);     // by threads of its own
  occupied.assist(long_enough);

  fork_join pool(2, fork_join::threads::guests);
  pool.assist(std::chrono::microseconds(100));
  std::atomic<bool> returned{false};
  const std::jthread guest([&] {
    pool.assist(long_enough);
    returned = true;
  });
  while (!returned) { // it may not be there yet
    pool.release();
    std::this_thread::yield();
  }
  int calls = 0;
  pool.run(5, [&](std::size_t lane, std::size_t) { calls += lane == 0 ? 1 : 100; });
  CHECK(calls == 5);
}
