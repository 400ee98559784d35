#include "core/forecast/fluid.hpp"
#include "core/forecast/stations.hpp"
#include "core/rng.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using namespace triage;

namespace {

constexpr double unbounded = std::numeric_limits<double>::infinity();

void run_out(fluid_simulation& s) {
  while (s.advance()) {
  }
}

} // namespace

TEST_CASE("fluid: rates are max-min fair, by hand") {
  // A cable of 10 carries three activities, one of which also uses a cable of 2: rates 2, 4, 4.
  fluid_simulation s;
  const auto wide = s.add_resource(10.0);
  const auto narrow = s.add_resource(2.0);
  std::vector<double> ends(3);
  s.start(8.0, unbounded, {wide, narrow}, [&] { ends[0] = s.now(); });
  s.start(8.0, unbounded, {wide}, [&] { ends[1] = s.now(); });
  s.start(20.0, unbounded, {wide}, [&] { ends[2] = s.now(); });
  run_out(s);
  CHECK(ends[1] == doctest::Approx(2.0)); // then 12 are left of the third, 4 of the first
  CHECK(ends[2] == doctest::Approx(2.0 + 12.0 / 8.0));
  CHECK(ends[0] == doctest::Approx(4.0));
  CHECK(s.carried(wide) == doctest::Approx(36.0));
  CHECK(s.carried(narrow) == doctest::Approx(8.0));
}

TEST_CASE("fluid: an activity's own bound leaves the rest to the others") {
  fluid_simulation s;
  const auto cable = s.add_resource(10.0);
  double slow = 0.0;
  double fast = 0.0;
  s.start(3.0, 1.0, {cable}, [&] { slow = s.now(); });
  s.start(18.0, unbounded, {cable}, [&] { fast = s.now(); });
  run_out(s);
  CHECK(slow == doctest::Approx(3.0));
  CHECK(fast == doctest::Approx(2.0));
}

TEST_CASE("fluid: what needs nothing is done at once, in order; timers fire when they are due") {
  fluid_simulation s;
  std::vector<int> order;
  s.after(1.0, [&] { order.push_back(3); });
  s.after(0.5, [&] {
    order.push_back(2);
    s.start(0.0, unbounded, {}, [&] {
      order.push_back(20);
      CHECK(s.now() == doctest::Approx(0.5));
    });
  });
  s.start(7.0, unbounded, {}, [&] { order.push_back(1); });
  run_out(s);
  CHECK(order == std::vector<int>{1, 2, 20, 3});
  CHECK(s.now() == doctest::Approx(1.0));
}

TEST_CASE(
    "fluid: random loads: nothing is full beyond its capacity, all of it is carried, somebody is always "
    "held up by something full") {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    rng random(seed, 0);
    fluid_simulation s;
    std::vector<double> capacity;
    std::vector<double> amount(4, 0.0);
    for (int r = 0; r < 4; ++r) {
      capacity.push_back(1.0 + 9.0 * random.uniform());
      (void)s.add_resource(capacity.back());
    }
    int done = 0;
    for (int a = 0; a < 40; ++a) {
      std::vector<std::size_t> uses;
      for (std::size_t r = 0; r < 4; ++r)
        if (random.uniform() < 0.5)
          uses.push_back(r);
      if (uses.empty())
        uses.push_back(0);
      const double size = random.uniform();
      for (const auto r : uses)
        amount[r] += size;
      s.after(random.uniform(),
              [&s, &done, size, uses] { s.start(size, unbounded, uses, [&done] { ++done; }); });
    }
    double before = 0.0;
    std::vector<double> carried(4, 0.0);
    while (s.advance()) {
      bool full = s.now() == before;
      for (std::size_t r = 0; r < 4; ++r) {
        const double moved = s.carried(r) - std::exchange(carried[r], s.carried(r));
        CHECK(moved <= capacity[r] * (s.now() - before) * (1.0 + 1e-9) + 1e-12);
        full = full || moved >= capacity[r] * (s.now() - before) * (1.0 - 1e-9);
      }
      CHECK((full || done == 0 || done == 40 || s.now() < 1.0));
      before = s.now();
    }
    CHECK(done == 40);
    for (std::size_t r = 0; r < 4; ++r)
      CHECK(s.carried(r) == doctest::Approx(amount[r]));
  }
}

TEST_CASE("stations: a thread does its jobs one after the other, two threads share a core") {
  fluid_simulation s;
  const auto core = s.add_resource(1.0);
  simulated_thread a(s, {core});
  simulated_thread b(s, {core});
  std::vector<double> ends;
  const auto note = [&] { ends.push_back(s.now()); };
  a.run(1.0, note);
  a.run(1.0, note);
  b.run(1.0, note);
  run_out(s);
  REQUIRE(ends.size() == 3);
  CHECK(ends[0] == doctest::Approx(2.0));
  CHECK(ends[1] == doctest::Approx(2.0));
  CHECK(ends[2] == doctest::Approx(3.0));
  CHECK(a.worked() == doctest::Approx(2.0));
}

// ALGORITHMS 6, acceptance test 3.
TEST_CASE("stations: the order of messages changes when the first one arrives, and not when all have") {
  const auto arrivals = [](message_order order) {
    fluid_simulation s;
    const auto cable = s.add_resource(1e6);
    simulated_connection c(s, cable, unbounded, 0.25, order, 1e4);
    std::vector<double> ends(3);
    for (std::size_t i = 0; i < 3; ++i)
      c.send(1e6, [&ends, &s, i] { ends[i] = s.now(); });
    run_out(s);
    CHECK(s.carried(cable) == doctest::Approx(3e6));
    return ends;
  };
  const auto in_turn = arrivals(message_order::in_turn);
  const auto mixed = arrivals(message_order::round_robin);
  CHECK(in_turn[0] == doctest::Approx(1.25));
  CHECK(in_turn[2] == doctest::Approx(3.25));
  CHECK(mixed[0] == doctest::Approx(3.23)); // two quanta before the last
  CHECK(mixed[2] == doctest::Approx(3.25));
}

TEST_CASE("fluid: the background gets what others leave, and all of it") {
  fluid_simulation s;
  const auto cores = s.add_resource(2.0);
  std::vector<double> ends(3);
  for (const std::size_t i : {0U, 1U})
    s.start(
        3.0, 1.0, {cores}, [&ends, &s, i] { ends[i] = s.now(); }, urgency::background);
  s.start(1.5, 1.5, {cores}, [&] { ends[2] = s.now(); });
  run_out(s);
  CHECK(ends[2] == doctest::Approx(1.0)); // as if nobody else were there
  CHECK(ends[0] == doctest::Approx(1.0 + 2.75));
  CHECK(ends[1] == doctest::Approx(1.0 + 2.75));
}
