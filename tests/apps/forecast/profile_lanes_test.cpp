#include "apps/forecast/profile_lanes.hpp"

#include <doctest/doctest.h>

using namespace triage;

namespace {

/// A worker's and a coordinator's lane of so many steps of 10 ms, of two layers.
std::vector<trace_lane> a_run(int steps) {
  std::vector<trace_lane> lanes(2);
  lanes[0].name = "coordinator";
  lanes[1].name = "n0/worker-0";
  for (int i = 0; i < steps; ++i) {
    const double t = 0.010 * i;
    const auto v = static_cast<std::uint64_t>(i);
    auto& e = lanes[1].events;
    e.push_back({"wait", t + 0.001, t + 0.0015, v, 30'000});
    e.push_back({"forward", t + 0.0015, t + 0.0025, v, 30'000});
    e.push_back({"forward", t + 0.0025, t + 0.0030, v, 40'000});
    e.push_back({"backward", t + 0.0030, t + 0.0040, v, 10'000}); // too little to leave alone
    e.push_back({"backward", t + 0.0040, t + 0.0060, v, 30'000});
    e.push_back({"gradient", t, t + 0.0062, v, 0});
    if (i != 15)
      lanes[0].events.push_back({"merge", t + 0.008, t + 0.0085, v, 0});
  }
  return lanes;
}

} // namespace

TEST_CASE("profile of a trace: ops of a gradient, without what was waited for") {
  const auto out = steps_of_trace(a_run(80), 40'000, false, 50);
  REQUIRE_MESSAGE(out.ok(), out.error().message);
  CHECK(out->answers == 70);
  CHECK(out->steps.size() == 69); // one merge is not in the trace
  CHECK(out->step_seconds() == doctest::Approx(0.010));
  const auto& ops = out->steps[3].ops;
  REQUIRE(ops.size() == 5);
  CHECK(ops[0].what == compute_op::kind::gather);
  CHECK(ops[0].seconds == doctest::Approx(0.001));
  CHECK(ops[1].needs == 30'000);
  CHECK(ops[1].seconds == doctest::Approx(0.001));
  CHECK(ops[2].needs == 40'000);
  CHECK(ops[3].what == compute_op::kind::backward);
  CHECK(ops[3].sends == 40'000);
  CHECK(ops[3].seconds == doctest::Approx(0.003));
  CHECK(ops[4].seconds == doctest::Approx(0.0002));
  CHECK(out->steps[3].merge_seconds == doctest::Approx(0.0005));
}

TEST_CASE("profile of a trace: a round of local steps is one op, from its first layer on") {
  const auto out = steps_of_trace(a_run(80), 40'000, true, 50);
  REQUIRE(out.ok());
  REQUIRE(out->steps[0].ops.size() == 1);
  CHECK(out->steps[0].ops[0].seconds == doctest::Approx(0.0047));
  CHECK(out->steps[0].ops[0].sends == 40'000);
}

TEST_CASE("profile of a trace: too few steps are an error that says how many") {
  const auto out = steps_of_trace(a_run(59), 40'000, false, 50);
  REQUIRE(!out.ok());
  CHECK(out.error().message.find("48 steps") != std::string::npos);
  CHECK(!steps_of_trace({}, 40'000, false, 1).ok());
}
