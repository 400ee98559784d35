#include "actors/parameter_arrival.hpp"

#include <doctest/doctest.h>
#include <thread>
#include <vector>

using namespace triage;

TEST_CASE("arrival: what is there is not waited for, and what comes wakes who waits") {
  parameter_arrival arrival(100);
  arrival.await(0);
  std::vector<int> block(100, 0);
  std::thread writer([&] {
    for (int i = 0; i < 100; ++i) {
      block[static_cast<std::size_t>(i)] = i + 1;
      arrival.advance(static_cast<std::size_t>(i) + 1);
    }
  });
  for (std::size_t end = 10; end <= 100; end += 10) {
    arrival.await(end);
    CHECK(arrival.ready() >= end);
    CHECK(block[end - 1] == static_cast<int>(end));
  }
  writer.join();
  CHECK(arrival.complete());
  arrival.await_all();
}

TEST_CASE("arrival: when the rest will not come, who waits is told why, and what is there can be had") {
  parameter_arrival arrival(100);
  arrival.advance(40);
  std::thread writer([&] { arrival.fail("it closed the connection"); });
  CHECK_THROWS_WITH(arrival.await(41),
                    "the parameters of its order did not arrive: it closed the connection");
  writer.join();
  arrival.await(40);
  CHECK_THROWS(arrival.await_all());
}

TEST_CASE("arrival: what was there before is there as soon as everything in front of it is") {
  parameter_arrival whole(100, {40, 100});
  whole.advance(39);
  CHECK(whole.ready() == 39);
  whole.advance(40);
  CHECK(whole.complete());
  parameter_arrival most(100, {40, 90});
  most.advance(45); // further than it need be
  CHECK(most.ready() == 90);
  most.advance(100);
  CHECK(most.complete());
}

TEST_CASE("arrival: nobody waits for ever, and a failure after the end is none") {
  parameter_arrival silent(10, {}, std::chrono::duration<double>(0.0));
  CHECK_THROWS_WITH(silent.await(1), "the parameters of its order did not arrive: nothing has come for 0 s");
  parameter_arrival whole(10);
  whole.advance(10);
  whole.fail("it closed the connection");
  whole.await_all();
}
