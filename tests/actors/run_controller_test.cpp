#include "controller_scene.hpp"

using namespace triage;
using namespace triage::test;

TEST_CASE("controller: a fresh run begins with a checkpoint, then trains") {
  scene s({});
  CHECK(s.world.collections == 1);
  s.serve();
  CHECK(s.world.checkpoints == 1);
  s.controller.member_joined("a");
  s.serve();
  CHECK(s.world.orders.size() == 1);
}

TEST_CASE("controller: orders in flight and batches in stock are bounded by the members") {
  for (const char* policy : {"bsp", "ssp", "asp"}) {
    scene s({std::string("runtime.exchange={\"policy\":\"") + policy + "\"}"});
    s.serve();
    for (int i = 0; i < 5; ++i)
      s.controller.member_joined("w");
    s.serve();
    rng random(4, 4);
    for (int i = 0; i < 300 && !s.world.summary; ++i) {
      REQUIRE(!s.world.orders.empty());
      auto at = s.world.orders.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random.below(s.world.orders.size())));
      s.answer(at->first);
      CHECK(s.controller.stocked_batches() <= 10);
    }
    CHECK(s.world.most_orders <= 5);
    CHECK(s.world.most_asked <= 10);
    CHECK(s.world.summary.has_value());
    CHECK(s.world.summary->samples_trained == 3 * 512);
  }
}

TEST_CASE("controller: bsp merges once per round") {
  scene s({});
  s.serve();
  s.controller.member_joined("a");
  s.controller.member_joined("b");
  s.serve();
  CHECK(s.controller.current().version == 0);
  s.answer(0);
  CHECK(s.controller.current().version == 0);
  CHECK(s.world.orders.count(0) == 0); // waits for b
  s.answer(1);
  CHECK(s.controller.current().version == 1);
  CHECK(s.world.orders.size() == 2);
}

TEST_CASE("controller: a lost member's batch is trained by somebody else, and its late result is ignored") {
  scene s({});
  s.serve();
  s.controller.member_joined("a");
  s.controller.member_joined("b");
  s.serve();
  const auto lost = s.world.orders.at(1);
  s.controller.member_lost(1, "gone");
  s.answer(0);
  CHECK(s.controller.current().version == 1); // the round does not wait for the dead
  CHECK(s.world.orders.at(0).batches == lost.batches);
  train_result late;
  late.member = 1;
  late.lease = lost.lease;
  late.gradient = s.shared;
  s.controller.results_arrived({&late, 1});
  CHECK(s.controller.current().version == 1);
}

TEST_CASE("controller: a repeated result counts once") {
  scene s({});
  s.serve();
  s.controller.member_joined("a");
  s.serve();
  const auto order = s.world.orders.at(0);
  s.answer(0);
  train_result again;
  again.member = 0;
  again.lease = order.lease;
  again.gradient = s.shared;
  s.controller.results_arrived({&again, 1});
  CHECK(s.controller.current().version == 1);
}

TEST_CASE("controller: three results in a row that are not finite cost the member its place") {
  scene s({});
  s.serve();
  s.controller.member_joined("a");
  s.controller.member_joined("b");
  s.serve();
  for (int i = 0; i < 3; ++i) {
    s.answer(1, false);
    s.answer(0);
  }
  CHECK(s.world.dismissed == std::vector<std::uint64_t>{1});
  CHECK(!s.world.summary);
  CHECK(s.world.orders.size() == 1); // a goes on alone
  CHECK(s.controller.current().version == 3);
}

TEST_CASE("controller: when the last member is lost the run fails, after saving") {
  scene s({});
  s.serve();
  s.controller.member_joined("a");
  s.serve();
  s.controller.member_lost(0, "killed");
  s.serve();
  REQUIRE(s.world.summary);
  CHECK(s.world.summary->status == run_status::failed);
  CHECK(s.world.summary->problem.find("killed") != std::string::npos);
  CHECK(s.world.checkpoints == 2);
}

TEST_CASE("controller: a run without workers waits while some are still starting, and fails when none can") {
  scene s({});
  s.serve();
  s.controller.expect_members(3);
  s.controller.member_joined("a");
  s.serve();
  s.controller.member_lost(0, "broke at once");
  s.serve();
  CHECK(!s.world.summary);
  s.controller.member_not_started("b", "no memory");
  s.serve();
  CHECK(!s.world.summary);
  s.world.orders.clear(); // the lost member's
  SUBCASE("the last one joins and takes over the batch") {
    s.controller.member_joined("c");
    s.serve();
    CHECK(!s.world.summary);
    CHECK(s.world.orders.size() == 1);
  }
  SUBCASE("the last one fails as well") {
    s.controller.member_not_started("c", "no memory either");
    s.serve();
    REQUIRE(s.world.summary);
    CHECK(s.world.summary->status == run_status::failed);
    CHECK(s.world.summary->problem.find("no memory either") != std::string::npos);
  }
}

TEST_CASE("controller: the clock of the run stands still during evaluations") {
  scene s({"evaluation.every_epochs=1"});
  s.serve();
  s.controller.member_joined("a");
  s.serve();
  while (s.world.evaluations == 0) {
    const auto order = s.world.orders.at(0);
    s.world.orders.erase(0);
    train_result r;
    r.lease = order.lease;
    r.gradient = s.shared;
    s.time.advance(0.01);
    s.controller.results_arrived({&r, 1});
    if (s.world.evaluations == 0)
      s.serve();
  }
  CHECK(s.world.paused);
  s.time.advance(100.0);
  s.serve();
  while (!s.world.summary)
    s.answer(0);
  CHECK(s.world.summary->train_seconds < 10.0);
}

TEST_CASE("controller: stop finishes the step, saves, and ends; saying it twice changes nothing") {
  scene s({});
  s.serve();
  s.controller.member_joined("a");
  s.serve();
  s.controller.stop();
  s.controller.stop();
  CHECK(!s.world.summary);
  s.answer(0);
  REQUIRE(s.world.summary);
  CHECK(s.world.summary->status == run_status::interrupted);
  CHECK(s.world.checkpoints == 2);
}

TEST_CASE("controller: a failed final checkpoint makes the run fail; an earlier one is only a warning") {
  scene s({"duration.epochs=0.1"});
  s.controller.sampler_state_arrived({});
  s.controller.checkpoint_done("", "disk full");
  CHECK(s.world.warnings.size() == 1);
  s.answered_collections = s.answered_checkpoints = 1;
  s.controller.member_joined("a");
  s.serve();
  while (s.world.checkpoints < 2 && !s.world.summary) {
    const auto order = s.world.orders.begin()->second;
    s.world.orders.clear();
    train_result r;
    r.lease = order.lease;
    r.gradient = s.shared;
    s.controller.results_arrived({&r, 1});
    if (s.world.evaluations > 0) {
      s.controller.evaluation_arrived({});
      s.controller.sampler_state_arrived({});
      break;
    }
    s.serve();
  }
  s.controller.checkpoint_done("", "disk full");
  REQUIRE(s.world.summary);
  CHECK(s.world.summary->status == run_status::failed);
  CHECK(s.world.summary->problem.find("disk full") != std::string::npos);
}

TEST_CASE(
    "controller: a slow disk holds the run up; checkpoints never pile up, and the last one is waited for") {
  scene s({"duration.epochs=2", "checkpoint.every_epochs=0.25", "evaluation.every_epochs=0"});
  s.answered_checkpoints = 1000; // the checkpointer is silent until told otherwise
  s.controller.member_joined("a");
  s.serve();
  int written = 0;
  int most_in_hand = 0;
  for (int step = 0; step < 1000 && !s.world.summary; ++step) {
    most_in_hand = std::max(most_in_hand, s.world.checkpoints - written);
    if (!s.world.orders.empty()) {
      s.answer(0);
    } else {
      REQUIRE(s.world.checkpoints > written); // nothing else may hold it up
      ++written;
      s.controller.checkpoint_done("step", "");
      s.serve();
    }
  }
  REQUIRE(s.world.summary);
  CHECK(s.world.summary->status == run_status::finished);
  CHECK(most_in_hand == 2);
  CHECK(s.world.checkpoints == written); // the answer to the last one ended the run
  CHECK(s.world.checkpoints >= 8);
}
