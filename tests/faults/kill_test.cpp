#include "fault_run.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <fmt/format.h>

// Processes that are gone from one moment to the next.

using namespace triage;
using namespace triage::test;

namespace {

/// Under bsp a killed node is replaced and the run waits for the replacement, since the size of its steps
/// follows the number of workers; under ssp the run goes on with those that are left.
scenario random_policy(rng& random) {
  scenario s;
  if (random.uniform() < 0.5) {
    s.policy = "bsp";
    s.min_workers = static_cast<int>(s.workers.size());
  }
  return s;
}

} // namespace

TEST_CASE("faults: undisturbed, nodes compute what threads of one process compute") {
  fault_tally tally("undisturbed");
  (void)tally.begin_point(0);
  scenario s;
  s.policy = "bsp";
  s.min_workers = 2;
  fault_run run(s);
  run.begin();
  check_finished(run, tally);
  CHECK(tally.accuracy.back() == 0.0); // the same steps, to the bit
  CHECK(run.summary().find("lost_members")->as_array().empty());
  for (const auto& name : s.workers)
    CHECK(run.end_of_node(name, 20.0) == 0);
}

TEST_CASE("faults: kill -9 of a worker's node") {
  fault_tally tally("kill -9 of a worker");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    scenario s = random_policy(random);
    const double moment = 0.05 + 0.75 * random.uniform();
    const std::string victim = random.uniform() < 0.5 ? "a" : "b";
    s.tls = random.uniform() < 0.5;
    tally.say(fmt::format("{}, node {}, at {:.0f} % of the run{}", s.policy, victim, 100.0 * moment,
                          s.tls ? ", with certificates" : ""));
    fault_run run(s);
    run.begin();
    REQUIRE_MESSAGE(run.wait_until(moment), run.log());
    run.signal_node(victim, SIGKILL);
    check_detected(run.wait_for_log(victim + "/worker-0 left the run", 1, 20.0), killed_seconds, tally);
    if (s.policy == "bsp")
      run.start_node(victim);
    check_finished(run, tally);
    CHECK(run.end_of_node(victim == "a" ? "b" : "a", 20.0) == 0);
  }
}

TEST_CASE("faults: kill -9 of a node that holds shards, whose points others train, and its return") {
  fault_tally tally("kill -9 of a holder of shards");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    scenario s = random_policy(random);
    s.shards = 16;
    s.workers = {"a", "b", "c"};
    s.min_workers = s.policy == "bsp" ? 3 : 1;
    s.staleness = 1;
    const double moment = 0.05 + 0.7 * random.uniform();
    const std::string victim(1, static_cast<char>('a' + random.below(3)));
    tally.say(fmt::format("{}, node {}, at {:.0f} % of the run", s.policy, victim, 100.0 * moment));
    fault_run run(s);
    run.begin();
    REQUIRE_MESSAGE(run.wait_until(moment), run.log());
    run.signal_node(victim, SIGKILL);
    check_detected(run.wait_for_log(victim + "/worker-0 left the run", 1, 20.0), killed_seconds, tally);
    if (const auto status = run.status()) { // each shard has one holder, who is alive
      std::vector<double> held;
      for (const auto& h : status->find("shards")->as_array()) {
        CHECK(h.find("node")->as_string() != victim);
        for (const auto& shard : h.find("numbers")->as_array())
          held.push_back(shard.as_number());
      }
      std::sort(held.begin(), held.end());
      REQUIRE(held.size() == 16);
      CHECK(std::adjacent_find(held.begin(), held.end()) == held.end());
    }
    run.start_node(victim);
    check_finished(run, tally);
  }
}

TEST_CASE("faults: kill -9 of a node in a round of local steps, and its return") {
  fault_tally tally("kill -9 in a round of local steps");
  for (std::size_t point = 0; point < std::max<std::size_t>(the_plan().points, 3); ++point) {
    auto random = tally.begin_point(point);
    scenario s;
    s.policy = point % 3 == 1 ? "overlap_local_sgd" : "local_sgd";
    s.compression = point % 3 == 2 ? "sign" : "";
    s.local_steps = 4;
    s.min_workers = static_cast<int>(s.workers.size());
    // How strongly a worker is pulled depends on who is ready first, and that on what else the machine does.
    // Four epochs end where the accuracy still rises steeply, so a busy machine alone moves it by half a
    // point.
    if (s.policy == "overlap_local_sgd") {
      s.epochs = 8;
      s.more = {"optimizer.learning_rate=0.05"};
    }
    const double moment = 0.05 + 0.75 * random.uniform();
    const std::string victim = random.uniform() < 0.5 ? "a" : "b";
    tally.say(fmt::format("{} {}, node {}, at {:.0f} % of the run", s.policy, s.compression, victim,
                          100.0 * moment));
    fault_run run(s);
    run.begin();
    REQUIRE_MESSAGE(run.wait_until(moment), run.log());
    run.signal_node(victim, SIGKILL);
    check_detected(run.wait_for_log(victim + "/worker-0 left the run", 1, 20.0), killed_seconds, tally);
    run.start_node(victim);
    check_finished(run, tally);
    CHECK(run.end_of_node(victim == "a" ? "b" : "a", 20.0) == 0);
  }
}

TEST_CASE("faults: kill -9 of two of four nodes at once") {
  fault_tally tally("kill -9 of two of four");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    scenario s;
    s.workers = {"a", "b", "c", "d"};
    s.staleness = 1; // four workers at the usual distance cost accuracy of their own
    const double moment = 0.05 + 0.7 * random.uniform();
    const auto first = static_cast<std::size_t>(4.0 * random.uniform());
    const auto second = (first + 1 + static_cast<std::size_t>(3.0 * random.uniform())) % 4;
    tally.say(fmt::format("nodes {} and {}, at {:.0f} % of the run", s.workers[first], s.workers[second],
                          100.0 * moment));
    fault_run run(s);
    run.begin();
    REQUIRE_MESSAGE(run.wait_until(moment), run.log());
    for (const auto i : {first, second})
      run.signal_node(s.workers[i], SIGKILL);
    for (const auto i : {first, second})
      check_detected(run.wait_for_log(s.workers[i] + "/worker-0 left the run", 1, 20.0), killed_seconds,
                     tally);
    check_finished(run, tally);
  }
}
