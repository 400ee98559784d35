#include "controller_scene.hpp"

#include <algorithm>

using namespace triage;
using namespace triage::test;

namespace {

bool any_contains(const std::vector<std::string>& texts, const std::string& part) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const auto& t) { return t.find(part) != std::string::npos; });
}

/// Time passes in the steps in which the coordinator looks.
void wait(scene& s, double seconds) {
  for (double t = 0.0; t < seconds; t += 0.25) {
    s.time.advance(0.25);
    s.controller.tick();
    s.serve();
  }
}

} // namespace

TEST_CASE("nodes: nothing is trained before the wanted workers are there") {
  scene s({"runtime.min_workers=2"}, true);
  s.serve();
  s.controller.member_joined("a");
  s.serve();
  CHECK(s.world.orders.empty());
  wait(s, 1.0);
  CHECK(any_contains(s.world.warnings, "waiting for workers: 1 of 2 are here"));
  s.controller.member_joined("b");
  s.serve();
  CHECK(s.world.orders.size() == 2);
}

TEST_CASE("nodes: with too few workers for too long the run saves and ends as starved") {
  scene s({"runtime.min_workers=1", "runtime.wait_seconds=5"}, true);
  s.serve();
  s.controller.member_joined("a");
  s.serve();
  for (int i = 0; i < 3; ++i)
    s.answer(0);
  s.controller.member_lost(0, "its machine burned down");
  s.serve();
  CHECK_FALSE(s.world.summary); // a run that nodes may join outlives its last one
  const int saved = s.world.checkpoints;
  wait(s, 4.0);
  CHECK_FALSE(s.world.summary);
  wait(s, 3.0);
  REQUIRE(s.world.summary);
  CHECK(s.world.summary->status == run_status::starved);
  CHECK(s.world.checkpoints == saved + 1);
  CHECK(s.world.summary->samples_trained == 3 * 16);
}

TEST_CASE("nodes: the clock of the run stands while it waits for workers") {
  scene s({"runtime.min_workers=1"}, true);
  s.serve();
  s.controller.member_joined("a");
  s.serve();
  s.answer(0);
  s.controller.member_lost(0, "gone");
  wait(s, 0.5);
  const double before = s.controller.state().train_seconds;
  wait(s, 20.0);
  CHECK(s.controller.state().train_seconds == before);
}

TEST_CASE("nodes: a late member is named first, and given up when it stays late") {
  scene s({R"(runtime.exchange={"policy":"asp"})", "duration.epochs=50", "evaluation.every_epochs=0",
           "checkpoint.every_epochs=0"},
          true);
  s.serve();
  s.controller.member_joined("quick");
  s.controller.member_joined("stuck");
  s.serve();
  const auto stuck = s.world.orders.at(1);
  for (int i = 0; i < 20; ++i)
    s.answer(0);
  for (double t = 0.0; t < 4.0; t += 0.25) {
    s.answer(0);
    wait(s, 0.25);
  }
  CHECK(any_contains(s.world.warnings, "stuck is late"));
  CHECK(std::count_if(s.world.warnings.begin(), s.world.warnings.end(),
                      [](const auto& w) { return w.find("is late") != std::string::npos; }) == 1);
  CHECK(s.world.dismissed.empty());
  for (double t = 0.0; t < 12.0; t += 0.25) {
    s.answer(0);
    wait(s, 0.25);
  }
  CHECK(s.world.dismissed == std::vector<std::uint64_t>{1});
  CHECK(any_contains(s.world.warnings, "stuck left the run: no result for"));
  CHECK(s.controller.members().members().size() == 1);
  // What it says later belongs to nobody.
  const auto version = s.controller.current().version;
  train_result late;
  late.member = 1;
  late.lease = stuck.lease;
  late.gradient = s.shared;
  s.controller.results_arrived({&late, 1});
  CHECK(s.controller.current().version == version);
}

TEST_CASE("nodes: who waits for what from whom") {
  scene s({}, true);
  s.serve();
  const auto find = [&](const std::string& who, const std::string& from) {
    const auto waits = s.controller.state().waits;
    return std::any_of(waits.begin(), waits.end(), [&](const auto& w) {
      return w.who == who && w.from.find(from) != std::string::npos && w.seconds >= 0.0;
    });
  };
  CHECK(find("coordinator", "nodes that may join"));
  s.controller.member_joined("a");
  s.controller.member_joined("b");
  s.serve();
  s.time.advance(1.5);
  CHECK(find("coordinator", "a"));
  CHECK(find("coordinator", "b"));
  s.answer(0);
  CHECK(find("a", "b")); // the end of the round
  const auto state = s.controller.state();
  CHECK(state.phase == "training");
  REQUIRE(state.members.size() == 2);
  CHECK(state.members[0].samples == 16);
  CHECK(state.members[1].computing);
}

TEST_CASE("nodes: in a run that nobody may join, time changes nothing") {
  scene s({});
  s.serve();
  s.controller.member_joined("a");
  s.serve();
  wait(s, 3600.0);
  CHECK(s.world.dismissed.empty());
  CHECK_FALSE(s.world.summary);
}

TEST_CASE("nodes: where no result has ever come, each next order gets twice as long") {
  scene s({R"(runtime.exchange={"policy":"asp"})"}, true);
  s.serve();
  std::vector<double> waited;
  for (std::uint64_t member = 0; member < 3; ++member) {
    s.controller.member_joined("slow-" + std::to_string(member));
    s.serve();
    const double begin = s.time.now();
    while (s.world.dismissed.size() <= member && s.time.now() - begin < 1000.0)
      wait(s, 0.25);
    waited.push_back(s.time.now() - begin);
  }
  CHECK(waited[0] == doctest::Approx(60.0).epsilon(0.01));
  CHECK(waited[1] == doctest::Approx(120.0).epsilon(0.01));
  CHECK(waited[2] == doctest::Approx(240.0).epsilon(0.01));
  CHECK(any_contains(s.world.warnings, "the next order gets twice as long"));
}

TEST_CASE("nodes: a gradient whose parts keep coming is not given up") {
  scene s({R"(runtime.exchange={"policy":"asp"})"}, true);
  s.serve();
  s.controller.member_joined("far away");
  s.serve();
  const auto lease = s.world.orders.at(0).lease;
  for (int part = 1; part <= 10; ++part) {
    wait(s, 40.0);
    const auto end = s.shared.size() - static_cast<std::size_t>(part - 1);
    const gradient_part p{0, lease, s.shared, end - 1, end};
    s.controller.parts_arrived({&p, 1});
  }
  CHECK(s.world.dismissed.empty());
  s.time.advance(500.0);
  s.controller.tick(499.75); // nobody could have been heard in that time
  CHECK(s.world.dismissed.empty());
  wait(s, 61.0);
  CHECK(s.world.dismissed == std::vector<std::uint64_t>{0});
}

TEST_CASE("nodes: the time for which the coordinator itself stood still is nobody's fault") {
  scene s({R"(runtime.exchange={"policy":"asp"})", "runtime.min_workers=2", "runtime.wait_seconds=30"}, true);
  s.serve();
  s.controller.member_joined("a");
  s.controller.member_joined("b");
  s.serve();
  for (int i = 0; i < 20; ++i)
    s.answer(0);
  s.time.advance(500.0);
  s.controller.tick(499.75);
  s.serve();
  CHECK(s.world.dismissed.empty());
  CHECK_FALSE(any_contains(s.world.warnings, "is late"));
  s.controller.member_lost(1, "gone");
  wait(s, 1.0);
  s.time.advance(500.0);
  s.controller.tick(499.75);
  s.serve();
  CHECK_FALSE(s.world.summary); // it has not waited for workers in that time either
}

TEST_CASE("nodes: one in twenty results that is not finite costs a node its place, where others have none") {
  scene s({R"(runtime.exchange={"policy":"asp"})", "duration.epochs=100", "evaluation.every_epochs=0",
           "checkpoint.every_epochs=0"},
          true);
  s.serve();
  s.controller.member_joined("good/worker-0", "good");
  s.controller.member_joined("bad/worker-0", "bad");
  s.serve();
  for (int i = 0; i < 99; ++i) {
    s.answer(0);
    s.answer(1, i % 20 != 7);
  }
  CHECK(s.world.dismissed.empty()); // too little is known of the others
  for (int i = 0; i < 30 && s.world.dismissed.empty(); ++i) {
    s.answer(0);
    s.answer(1, i % 10 != 7);
  }
  CHECK(s.world.dismissed == std::vector<std::uint64_t>{1});
  CHECK(any_contains(s.world.warnings, "those of others are"));
}

TEST_CASE("nodes: where everybody returns such results now and then, nobody is at fault") {
  scene s({R"(runtime.exchange={"policy":"asp"})", "duration.epochs=100", "evaluation.every_epochs=0",
           "checkpoint.every_epochs=0"},
          true);
  s.serve();
  for (const char* node : {"a", "b"})
    s.controller.member_joined(std::string(node) + "/worker-0", node);
  s.serve();
  for (int i = 0; i < 300; ++i)
    for (const std::uint64_t member : {0U, 1U})
      s.answer(member, i % 20 != 7);
  CHECK(s.world.dismissed.empty());
}

TEST_CASE("nodes: one that never returned anything finite ends as quarantined, though it is alone, and the "
          "run waits") {
  scene s({R"(runtime.exchange={"policy":"asp"})", "runtime.min_workers=1"}, true);
  s.serve();
  s.controller.member_joined("good/worker-0", "good");
  s.serve();
  s.answer(0);
  s.controller.member_lost(0, "gone for a moment");
  s.controller.member_joined("bad/worker-0", "bad");
  s.serve();
  for (int i = 0; i < 3; ++i)
    s.answer(1, false);
  CHECK(s.world.dismissed == std::vector<std::uint64_t>{1});
  CHECK_FALSE(s.world.summary);
  wait(s, 1.0);
  s.controller.member_joined("good/worker-0", "good");
  s.serve();
  s.answer(2);
  CHECK_FALSE(s.world.summary);
}

TEST_CASE(
    "controller: broken off it ends at once, with what happened and without waiting for anybody or saving") {
  scene s({R"(runtime.exchange={"policy":"asp"})"});
  s.serve();
  s.controller.member_joined("a");
  s.controller.member_joined("b");
  s.serve();
  REQUIRE(s.world.orders.size() == 2);
  const int saved = s.world.checkpoints;
  s.controller.break_off("out of memory");
  REQUIRE(s.world.summary);
  CHECK(s.world.summary->status == run_status::failed);
  CHECK(s.world.summary->problem == "out of memory");
  CHECK(s.world.checkpoints == saved);
  s.controller.break_off("again");
  CHECK(s.world.summary->problem == "out of memory");
}
