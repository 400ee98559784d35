#include "fault_run.hpp"
#include "proxy.hpp"

#include <algorithm>
#include <array>
#include <doctest/doctest.h>
#include <fmt/format.h>

// Nodes that say nothing for a while: stopped processes, partitions, bad lines. Where the run waits for its
// two workers, nothing but the order of a few rounds may differ from an undisturbed run.

using namespace triage;
using namespace triage::test;
using way = bad_network::direction;

namespace {

scenario patient(rng& random) {
  scenario s;
  s.policy = random.uniform() < 0.5 ? "bsp" : "ssp";
  s.min_workers = 2;
  return s;
}

std::string left(const std::string& node) {
  return node + "/worker-0 left the run";
}

struct partition {
  double seconds;
  const char* name;
  bool up;
  bool down;
};

/// One run with one partition of one node.
void part(const partition& p, rng& random, fault_tally& tally) {
  const scenario s = patient(random);
  const double moment = 0.1 + 0.6 * random.uniform();
  tally.say(fmt::format("{}, at {:.0f} % of the run", s.policy, 100.0 * moment));
  fault_run run(s);
  bad_network network(run.port());
  run.via("b", network.port());
  run.begin();
  REQUIRE_MESSAGE(run.wait_until(moment), run.log());
  network.black_hole(way::to_target, p.up);
  network.black_hole(way::from_target, p.down);
  const double detected = run.wait_for_log(left("b"), 1, p.seconds);
  if (detected >= 0.0)
    pause_for(p.seconds - detected);
  network.black_hole(false);
  // A second is shorter than the deadline: such a partition is no loss, unless the machine adds to it.
  if (detected >= 0.0 || p.seconds > 2.0 * silent_seconds)
    check_detected(detected, silent_seconds, tally);
  if (detected >= 0.0) {
    const double back = run.wait_for_members({"b"}, 60.0);
    CHECK_MESSAGE((back >= 0.0 && back <= 2.0 * rejoin_seconds), back << " s\n" << run.log());
    tally.rejoined.push_back(back);
  }
  check_finished(run, tally);
}

void part_often(const std::vector<partition>& kinds, const std::string& fault) {
  fault_tally tally(fault);
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    // Each kind in turn, and in the short form a random one.
    const auto n = the_plan().is_long()
                       ? point % kinds.size()
                       : static_cast<std::size_t>(random.uniform() * static_cast<double>(kinds.size()));
    tally.say(kinds[n].name);
    part(kinds[n], random, tally);
  }
}

std::vector<partition> all_ways(double seconds) {
  return {{seconds, "both ways", true, true},
          {seconds, "from the node only", true, false},
          {seconds, "to the node only", false, true}};
}

} // namespace

TEST_CASE("faults: SIGSTOP of a node for five seconds") {
  fault_tally tally("SIGSTOP for 5 s");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    const scenario s = patient(random);
    const double moment = 0.1 + 0.6 * random.uniform();
    tally.say(fmt::format("{}, at {:.0f} % of the run", s.policy, 100.0 * moment));
    fault_run run(s);
    run.begin();
    REQUIRE_MESSAGE(run.wait_until(moment), run.log());
    run.signal_node("b", SIGSTOP);
    const double detected = run.wait_for_log(left("b"), 1, 5.0);
    if (detected >= 0.0)
      pause_for(5.0 - detected);
    run.signal_node("b", SIGCONT);
    if (detected >= 0.0) { // not where the deadline had adapted itself to a slow machine
      check_detected(detected, silent_seconds, tally);
      const double back = run.wait_for_members({"b"}, 60.0);
      CHECK_MESSAGE((back >= 0.0 && back <= 2.0 * rejoin_seconds), back << " s\n" << run.log());
      tally.rejoined.push_back(back);
    }
    check_finished(run, tally);
    CHECK(run.end_of_node("b", 20.0) == 0);
  }
}

TEST_CASE("faults: SIGSTOP of a node for ever") {
  fault_tally tally("SIGSTOP for ever");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    scenario s;
    const double moment = 0.1 + 0.6 * random.uniform();
    tally.say(fmt::format("{}, at {:.0f} % of the run", s.policy, 100.0 * moment));
    fault_run run(s);
    run.begin();
    REQUIRE_MESSAGE(run.wait_until(moment), run.log());
    run.signal_node("b", SIGSTOP);
    check_detected(run.wait_for_log(left("b"), 1, 60.0), silent_seconds, tally);
    CHECK(run.log().find("b is gone: it was silent for") != std::string::npos);
    check_finished(run, tally);
  }
}

TEST_CASE("faults: SIGSTOP of the coordinator, after which it notices silence as fast as before") {
  fault_tally tally("SIGSTOP of the coordinator");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    const scenario s = patient(random);
    const double moment = 0.05 + 0.3 * random.uniform();
    const double seconds = random.uniform() < 0.3 ? 1.0 : 7.0;
    tally.say(fmt::format("{}, at {:.0f} % of the run, for {:.0f} s", s.policy, 100.0 * moment, seconds));
    fault_run run(s);
    run.begin();
    REQUIRE_MESSAGE(run.wait_until(moment), run.log());
    run.coordinator().signal(SIGSTOP);
    pause_for(seconds);
    run.coordinator().signal(SIGCONT);
    const double back = run.wait_for_members(s.workers, 60.0);
    CHECK_MESSAGE((back >= 0.0 && back <= 2.0 * rejoin_seconds), back << " s\n" << run.log());
    tally.rejoined.push_back(back);
    CHECK(run.in_log("no result for") == 0); // nobody was too slow for an order
    const auto lost = run.in_log(left("b"));
    run.signal_node("b", SIGSTOP);
    check_detected(run.wait_for_log(left("b"), lost + 1, 60.0), silent_seconds, tally);
    run.signal_node("b", SIGCONT);
    check_finished(run, tally);
    CHECK(run.end_of_node("b", 20.0) == 0);
  }
}

TEST_CASE("faults: a node that is silent when the run ends does not keep it from ending") {
  fault_tally tally("silent at the end");
  (void)tally.begin_point(0);
  scenario s;
  s.epochs = 1;
  s.more = {"network.heartbeat_seconds=20"}; // silence is noticed long after the end
  s.workers = {"a"};
  fault_run run(s);
  run.start_coordinator();
  run.start_node("idle", "estimator"); // uniform sampling has no work for it
  REQUIRE_MESSAGE(run.wait_for_log("idle joined from", 1, 20.0) >= 0.0, run.log());
  run.signal_node("idle", SIGSTOP);
  run.start_node("a"); // with whom the run begins, and may be over in a moment
  check_finished(run, tally);
}

TEST_CASE("faults: partition for one second") {
  part_often(all_ways(1.0), "partition for 1 s");
}

TEST_CASE("faults: partition for ten seconds") {
  part_often(all_ways(10.0), "partition for 10 s");
}

TEST_CASE("faults: partition for sixty seconds" * doctest::skip(!the_plan().is_long())) {
  part_often(all_ways(60.0), "partition for 60 s");
}

TEST_CASE("faults: one lost packet of a hundred, and 50 ms of latency") {
  fault_tally tally("1 % loss, 50 ms");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    scenario s;
    s.policy = "bsp"; // both are there all the time: the same steps as undisturbed, to the bit
    s.min_workers = 2;
    s.epochs = 1;
    s.subset = 0.0256;
    s.batch_size = 64;
    fault_run run(s);
    bad_network network(run.port(), random());
    network.set_latency(0.025, 0.01); // each way
    tally.say("round trip 50 ms");
    run.via("a", network.port());
    run.via("b", network.port());
    run.begin();
    check_finished(run, tally);
    CHECK(run.summary().find("lost_members")->as_array().empty());
    CHECK(tally.accuracy.back() == 0.0);
  }
}
