#include "fault_run.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

// The coordinator is gone, or everybody but the coordinator.

using namespace triage;
using namespace triage::test;

TEST_CASE("faults: kill -9 of the coordinator, resume, and the nodes come back by themselves") {
  fault_tally tally("kill -9 of the coordinator");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    scenario s;
    s.policy = random.uniform() < 0.5 ? "bsp" : "ssp";
    s.min_workers = 2;
    const int kills = random.uniform() < 0.3 ? 2 : 1;
    s.tls = random.uniform() < 0.5;
    fault_run run(s);
    run.begin();
    double moment = 0.02;
    for (int k = 0; k < kills; ++k) {
      moment += 0.4 * random.uniform();
      tally.say(fmt::format("{}, kill {} of {} at {:.0f} % of the run{}", s.policy, k + 1, kills,
                            100.0 * moment, s.tls ? ", with certificates" : ""));
      REQUIRE_MESSAGE(run.wait_until(moment), run.log());
      run.coordinator().signal(SIGKILL);
      CHECK(run.end_of_coordinator(10.0) == 128 + SIGKILL);
      run.resume_coordinator();
      const double back = run.wait_for_members(s.workers, 60.0);
      CHECK_MESSAGE((back >= 0.0 && back <= 2.0 * rejoin_seconds), back << " s\n" << run.log());
      tally.rejoined.push_back(back);
    }
    check_finished(run, tally);
    if (s.policy == "bsp")
      CHECK(tally.accuracy.back() == 0.0); // the bits of a run that nobody has disturbed
    for (const auto& name : s.workers)
      CHECK(run.end_of_node(name, 20.0) == 0);
  }
}

TEST_CASE("faults: all nodes killed, the run waits, ends with 75 and a checkpoint, and resume finishes it") {
  fault_tally tally("all nodes killed");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    scenario s;
    // The first members must come within it as well, also on a loaded machine under sanitizers.
    s.wait_seconds = 8.0;
    const double moment = 0.05 + 0.7 * random.uniform();
    tally.say(fmt::format("at {:.0f} % of the run", 100.0 * moment));
    fault_run run(s);
    run.begin();
    REQUIRE_MESSAGE(run.wait_until(moment), run.log());
    for (const auto& name : s.workers)
      run.signal_node(name, SIGKILL);
    for (const auto& name : s.workers)
      check_detected(run.wait_for_log(name + "/worker-0 left the run", 1, 20.0), killed_seconds, tally);
    const int code = run.end_of_coordinator(60.0);
    tally.hangs += code == -1 ? 1 : 0;
    REQUIRE_MESSAGE(code == 75, code << "\n" << run.log());
    CHECK(run.log().find("gave up waiting for workers: 0 of 1 are here") != std::string::npos);
    const auto summary = run.summary();
    CHECK(summary.find("status")->as_string() == "too few workers");
    CHECK(summary.find("epochs")->as_number() >= moment * s.epochs);
    // Everything that was trained is in that checkpoint, not only what the last regular one held.
    const auto epochs_saved = summary.find("epochs")->as_number();
    run.resume_coordinator({"runtime.wait_seconds=60"});
    const auto status = run.status();
    if (status)
      CHECK(status->find("epochs")->as_number() >= epochs_saved);
    for (const auto& name : s.workers)
      run.start_node(name);
    check_finished(run, tally);
  }
}

TEST_CASE("faults: a slow worker never falls further behind than the bound of ssp") {
  fault_tally tally("slow worker under ssp");
  for (std::size_t point = 0; point < the_plan().points; ++point) {
    auto random = tally.begin_point(point);
    scenario s;
    s.epochs = 2;
    s.staleness = 1 + static_cast<int>(3.0 * random.uniform());
    s.min_workers = 2;
    tally.say(fmt::format("staleness {}", s.staleness));
    fault_run run(s);
    run.begin();
    const temporary_folder folder;
    double largest = 0.0;
    std::size_t looks = 0;
    std::size_t slices = 0;
    while (run.coordinator().running() && slices < 3000) {
      run.signal_node("b", SIGSTOP); // four times as slow
      pause_for(0.06);
      run.signal_node("b", SIGCONT);
      pause_for(0.02);
      if (++slices % 2 != 0)
        continue;
      const auto asked = run_triage({"status", fmt::format("127.0.0.1:{}", run.port()), "--json"},
                                    folder.path("status.txt"));
      const auto status = parse_json(asked.output, "status");
      if (asked.exit_code != 0 || !status.ok() || status->find("members") == nullptr)
        continue; // the run has just ended
      const auto& members = status->find("members")->as_array();
      if (members.size() != 2)
        continue;
      const auto rounds = [&](std::size_t i) { return members[i].find("rounds")->as_number(); };
      largest = std::max(largest, std::abs(rounds(0) - rounds(1)));
      ++looks;
    }
    check_finished(run, tally);
    tally.say(fmt::format("largest lead {} rounds in {} looks, allowed {}", largest, looks, s.staleness + 1));
    CHECK(looks >= 3);
    CHECK(largest <= s.staleness + 1);
    CHECK(largest >= 1); // it was slow
  }
}
