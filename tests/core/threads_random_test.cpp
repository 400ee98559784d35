#include "core/adaptive_deadline.hpp"
#include "core/blob.hpp"
#include "core/fork_join.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cmath>
#include <deque>
#include <doctest/doctest.h>
#include <set>
#include <thread>
#include <vector>

// Parallel work, shared blocks and deadlines against plain models of them.

using namespace triage;

namespace {

/// The upper median, as a sort gives it.
double middle(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

double expected_deadline(const std::deque<double>& last, const adaptive_deadline::bounds& b) {
  const std::vector<double> v(last.begin(), last.end());
  const double median = middle(v);
  std::vector<double> distance;
  for (const double x : v)
    distance.push_back(std::abs(x - median));
  const double wanted = std::max(b.medians * median, median + b.deviations * middle(distance));
  return std::min(std::max(wanted, b.shortest), std::max(b.longest, b.shortest));
}

} // namespace

TEST_CASE("adaptive deadline random: equals the definition over the last 64 durations") {
  rng random(1, 0);
  for (int round = 0; round < 50; ++round) {
    const adaptive_deadline::bounds b{.shortest = random.uniform(),
                                      .longest = 3.0 * random.uniform(), // also below the shortest
                                      .medians = 1.0 + 3.0 * random.uniform(),
                                      .deviations = 8.0 * random.uniform(),
                                      .unmeasured = 2.0};
    adaptive_deadline d(b);
    CHECK(d.seconds() == 2.0 * b.shortest);
    CHECK_FALSE(d.measured());
    std::deque<double> last;
    for (int i = 0; i < 200; ++i) {
      const double seconds = random.below(10) == 0 ? 10.0 * random.uniform() : 0.1 * random.uniform();
      d.add(seconds);
      last.push_back(seconds);
      if (last.size() > 64)
        last.pop_front();
      REQUIRE(d.measured());
      REQUIRE(d.median() == middle({last.begin(), last.end()}));
      REQUIRE(d.seconds() == doctest::Approx(expected_deadline(last, b)).epsilon(1e-12));
    }
  }
}

TEST_CASE(
    "adaptive deadline random: never below the shortest, never beyond the longest, and scales with time") {
  rng random(2, 0);
  adaptive_deadline d({.shortest = 0.5, .longest = 5.0, .medians = 3.0});
  adaptive_deadline twice({.shortest = 1.0, .longest = 10.0, .medians = 3.0});
  for (int i = 0; i < 1000; ++i) {
    const double seconds = std::exp(3.0 * random.normal());
    d.add(seconds);
    twice.add(2.0 * seconds);
    REQUIRE(d.seconds() >= 0.5);
    REQUIRE(d.seconds() <= 5.0);
    REQUIRE(twice.seconds() == doctest::Approx(2.0 * d.seconds()).epsilon(1e-12));
  }
}

TEST_CASE("fork join: all lanes can be at work at the same time") {
  // Each lane waits for all the others within one piece of work: a pool that ran them one after the other
  // would never come back.
  for (const std::size_t lanes : {2U, 3U, 6U}) {
    fork_join pool(lanes);
    std::barrier meeting(static_cast<std::ptrdiff_t>(lanes));
    std::atomic<int> met{0};
    for (int round = 0; round < 50; ++round)
      pool.run(lanes, [&](std::size_t, std::size_t) {
        meeting.arrive_and_wait();
        ++met;
      });
    CHECK(met == 50 * static_cast<int>(lanes));
  }
}

TEST_CASE("fork join: what the caller wrote before a round is seen by all lanes, and what they wrote by the "
          "caller") {
  fork_join pool(4);
  std::vector<std::uint64_t> values(4096, 1); // plain memory: the pool has to order the accesses
  std::uint64_t factor = 0;
  std::uint64_t expected = 1;
  for (std::uint64_t round = 0; round < 500; ++round) {
    factor = round % 3 + 1;
    expected = expected * factor % 1000003;
    pool.run(4, [&](std::size_t, std::size_t piece) {
      for (std::size_t i = piece; i < values.size(); i += 4)
        values[i] = values[i] * factor % 1000003;
    });
    REQUIRE(std::all_of(values.begin(), values.end(), [&](auto v) { return v == expected; }));
  }
}

TEST_CASE("fork join: pools of the same caller do not get into each other's way") {
  fork_join outer(2);
  std::vector<int> counts(6);
  // Each lane of one pool owns a pool: a lane is an ordinary thread.
  for (int round = 0; round < 20; ++round)
    outer.run(2, [&](std::size_t, std::size_t piece) {
      fork_join inner(3);
      inner.run(3, [&](std::size_t, std::size_t part) { ++counts[3 * piece + part]; });
    });
  CHECK(counts == std::vector<int>(6, 20));
}

TEST_CASE(
    "blob random: copies on many threads free each block exactly once, and a pool recycles what is free") {
  // Under the sanitizers a block that is freed twice, or never, or too early, is an error.
  blob_pool pool(257);
  rng random(3, 0);
  std::size_t most = 0;
  for (int round = 0; round < 100; ++round) {
    std::vector<blob> held;
    for (auto n = 1 + random.below(5); n > 0; --n) {
      auto fresh = pool.acquire();
      std::fill(fresh.values().begin(), fresh.values().end(), static_cast<float>(round));
      held.push_back(std::move(fresh).freeze());
    }
    most = std::max(most, held.size());
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&, copies = held, round] {
        for (const auto& b : copies) {
          const blob other = b;
          for (const float v : other.view())
            wrong += v == static_cast<float>(round) ? 0 : 1;
        }
      });
    held.clear(); // the threads may be the last to hold them
    for (auto& t : threads)
      t.join();
    CHECK(wrong == 0);
    CHECK(pool.blocks() == most); // as many as were ever in flight at once, and no more
  }
}

TEST_CASE("blob: assignment to itself, moved-from ones and copies of nothing are harmless") {
  blob a = blob::copy_of(std::vector<float>{1.0F, 2.0F});
  const blob& same = a;
  a = same;
  CHECK(a.view()[1] == 2.0F);
  blob b = std::move(a);
  CHECK(a.empty()); // NOLINT: what a moved-from blob holds is part of its contract
  CHECK(a.data() == nullptr);
  a = b;
  CHECK(a.data() == b.data());
  const blob none;
  b = none;
  CHECK(b.empty());
  CHECK(a.size() == 2);
}

TEST_CASE("mutable blob: is zeroed, and the frozen block is the one that was written") {
  mutable_blob m(100);
  CHECK(std::all_of(m.view().begin(), m.view().end(), [](float v) { return v == 0.0F; }));
  const float* place = m.values().data();
  m.values()[7] = 3.0F;
  const blob frozen = std::move(m).freeze();
  CHECK(frozen.data() == place);
  CHECK(frozen.view()[7] == 3.0F);
  mutable_blob none;
  CHECK(none.values().empty());
  CHECK(none.size() == 0);
}
