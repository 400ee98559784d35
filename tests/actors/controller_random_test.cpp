#include "random_scene.hpp"

// The controller under random sequences of everything that can happen to it.

using namespace triage;
using namespace triage::test;

namespace {

std::vector<std::string> policy_options(const std::string& policy, std::vector<std::string> more = {}) {
  more.push_back("runtime.exchange={\"policy\":\"" + policy + "\"}");
  const auto plain = parse_json("{\"policy\":\"" + policy + "\"}", "test");
  if ((*make_exchange(*plain, {"test", ""}))->local()) // few, so that a small run has many rounds
    more.push_back("runtime.exchange.local_steps=2");
  return more;
}

template <class Check>
void for_policies_and_seeds(std::uint64_t seeds, const Check& check) {
  for (const auto name : names_of(exchange_policies()))
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      CAPTURE(name);
      CAPTURE(seed);
      check(std::string(name), seed);
    }
}

} // namespace

TEST_CASE("controller random: joins, losses, late and repeated results, slow services: all is trained once, "
          "and it ends") {
  for_policies_and_seeds(25, [](const std::string& policy, std::uint64_t seed) {
    random_scene s(policy_options(policy, {"duration.epochs=4", "evaluation.every_epochs=0.7",
                                           "checkpoint.every_epochs=0.4"}),
                   seed, 3);
    for (int event = 0; event < 400 && !s.world.summary; ++event) {
      const auto dice = s.random.below(100);
      const auto working = s.someone_at_work();
      if (dice < 50 && working)
        s.answer(*working);
      else if (dice < 80)
        s.serve();
      else if (dice < 85)
        s.repeat_old();
      else if (dice < 88 && s.alive.size() < 6)
        s.join();
      else if (dice < 91 && s.alive.size() > 1)
        s.lose(s.alive[s.random.below(s.alive.size())]);
      else
        s.time.advance(0.1);
    }
    s.run_to_the_end();
    REQUIRE(s.world.summary);
    CHECK(s.world.summary->status == run_status::finished);
    CHECK(s.world.summary->samples_trained == 4 * 512);
    CHECK(s.world.summary->problem.empty());
    CHECK(s.world.warnings.size() == s.world.summary->lost_members.size());
    s.check_books();
  });
}

TEST_CASE("controller random: results that are not finite are dropped and counted, and cost only who keeps "
          "sending them") {
  for_policies_and_seeds(15, [](const std::string& policy, std::uint64_t seed) {
    random_scene s(policy_options(policy, {"duration.epochs=3"}), seed, 4);
    const std::uint64_t bad = s.alive[1];
    for (int event = 0; event < 2000 && !s.world.summary; ++event) {
      s.serve();
      if (const auto working = s.someone_at_work())
        s.answer(*working, *working != bad);
    }
    s.run_to_the_end();
    REQUIRE(s.world.summary);
    CHECK(s.world.summary->status == run_status::finished);
    CHECK(s.dropped_results == 3); // then it was struck off
    CHECK(s.world.dismissed == std::vector<std::uint64_t>{bad});
    REQUIRE(s.world.summary->lost_members.size() == 1);
    CHECK(s.world.summary->lost_members[0].starts_with("w1: 3 results in a row"));
    s.check_books();
  });
}

TEST_CASE("controller random: two bad results in a row and a good one cost nobody its place") {
  for_policies_and_seeds(5, [](const std::string& policy, std::uint64_t seed) {
    random_scene s(policy_options(policy, {"duration.epochs=2"}), seed, 2);
    std::map<std::uint64_t, int> count;
    for (int event = 0; event < 2000 && !s.world.summary; ++event) {
      s.serve();
      if (const auto working = s.someone_at_work())
        s.answer(*working, count[*working]++ % 3 == 2);
    }
    REQUIRE(s.world.summary);
    CHECK(s.world.dismissed.empty());
    CHECK(s.world.summary->status == run_status::finished);
    s.check_books();
  });
}

TEST_CASE("controller random: asked to stop at any moment it saves and ends as interrupted, with nothing "
          "half done") {
  for_policies_and_seeds(40, [](const std::string& policy, std::uint64_t seed) {
    random_scene s(policy_options(policy, {"evaluation.every_epochs=0.5", "checkpoint.every_epochs=0.3"}),
                   seed, 3);
    for (auto events = s.random.below(200); events > 0 && !s.world.summary; --events) {
      const auto working = s.someone_at_work();
      if (s.random.below(2) == 0 && working)
        s.answer(*working);
      else
        s.serve();
    }
    if (s.world.summary)
      return;
    const auto out = s.world.orders.size();
    s.controller.stop();
    s.look();
    CHECK(s.world.orders.size() <= out); // nothing new is begun
    s.run_to_the_end();
    REQUIRE(s.world.summary);
    CHECK(s.world.summary->status == run_status::interrupted);
    CHECK(s.world.summary->checkpoint == "step");
    s.check_books();
  });
}

TEST_CASE(
    "controller random: when everybody is lost, whenever, the run saves and fails with the last reason") {
  for_policies_and_seeds(25, [](const std::string& policy, std::uint64_t seed) {
    random_scene s(policy_options(policy), seed, 3);
    for (auto events = s.random.below(100); events > 0; --events) {
      const auto working = s.someone_at_work();
      if (s.random.below(2) == 0 && working)
        s.answer(*working);
      else
        s.serve();
    }
    while (!s.alive.empty())
      s.lose(s.alive[s.random.below(s.alive.size())]);
    for (int i = 0; i < 10 && !s.world.summary; ++i)
      s.serve(true);
    REQUIRE(s.world.summary);
    CHECK(s.world.summary->status == run_status::failed);
    CHECK(s.world.summary->problem.find("lost by the test") != std::string::npos);
    CHECK(s.world.summary->lost_members.size() == 3);
    s.check_books();
  });
}

TEST_CASE("controller random: a failing service ends the run with its reason, saved where the sampler can "
          "still help") {
  for_policies_and_seeds(25, [](const std::string& policy, std::uint64_t seed) {
    for (const bool can_save : {true, false}) {
      CAPTURE(can_save);
      random_scene s(policy_options(policy, {"evaluation.every_epochs=0.3", "checkpoint.every_epochs=0.3",
                                             "duration.epochs=12"}),
                     seed, 2);
      for (auto events = s.random.below(150); events > 0; --events) {
        const auto working = s.someone_at_work();
        if (s.random.below(2) == 0 && working)
          s.answer(*working);
        else
          s.serve();
      }
      const auto saved = s.world.checkpoints;
      s.controller.fail("the sampler broke", can_save);
      s.look();
      s.run_to_the_end();
      REQUIRE(s.world.summary);
      CHECK(s.world.summary->status == run_status::failed);
      CHECK(s.world.summary->problem == "the sampler broke");
      if (can_save)
        CHECK(s.world.checkpoints > saved);
    }
  });
}

TEST_CASE("controller random: a checkpoint that fails on the way is a warning, the last one decides") {
  for_policies_and_seeds(20, [](const std::string& policy, std::uint64_t seed) {
    random_scene s(policy_options(policy, {"duration.epochs=2", "checkpoint.every_epochs=0.3"}), seed, 2);
    s.failing_checkpoints = true;
    s.run_to_the_end();
    REQUIRE(s.world.summary);
    const bool failed = s.world.summary->status == run_status::failed;
    CHECK((failed ? s.world.summary->problem.find("disk full") != std::string::npos
                  : s.world.summary->problem.empty()));
    CHECK(s.world.summary->samples_trained == 2 * 512);
    for (const auto& w : s.world.warnings)
      CHECK(w.find("checkpoint not written: disk full") != std::string::npos);
    s.check_books();
  });
}

TEST_CASE("controller random: versions count merges: one a result, or one a round") {
  for_policies_and_seeds(10, [](const std::string& policy, std::uint64_t seed) {
    random_scene s(policy_options(policy, {"duration.epochs=3"}), seed, 4);
    std::size_t rounds = 0;
    while (!s.world.summary) {
      s.serve(true);
      const auto before = s.controller.current().version;
      const auto working = s.someone_at_work();
      if (!working)
        continue;
      s.answer(*working);
      const auto step = s.controller.current().version - before;
      CHECK(step <= s.world.orders_at_once); // the last round may have been begun by some only
      rounds += step;
    }
    CHECK(s.world.summary->steps == rounds);
    if (policy == "bsp")
      CHECK(s.world.summary->steps == 3 * 512 / 16 / 4); // four gradients a step
    else if (policy == "local_sgd")
      CHECK(s.world.summary->steps == 3 * 512 / 16 / 4 / 2); // of two local steps
    else if (s.steps() == 1)
      CHECK(s.world.summary->steps == 3 * 512 / 16);
  });
}

TEST_CASE("controller random: no member is ahead of another by more than its policy permits") {
  for (const auto& [options, bound] :
       {std::pair{std::string(R"(runtime.exchange={"policy":"bsp"})"), std::uint64_t{1}},
        std::pair{std::string(R"(runtime.exchange={"policy":"ssp","staleness":2})"), std::uint64_t{3}}})
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      CAPTURE(options);
      random_scene s({options, "duration.epochs=4", "evaluation.every_epochs=0", "checkpoint.every_epochs=0"},
                     seed, 4);
      std::uint64_t largest = 0;
      for (int event = 0; event < 400 && !s.world.summary; ++event) {
        s.serve(true);
        // The first member answers rarely.
        auto working = s.someone_at_work();
        if (working && *working == 0 && s.random.below(8) > 0 && s.world.orders.size() > 1)
          working = std::prev(s.world.orders.end())->first;
        if (working)
          s.answer(*working);
        const auto state = s.controller.state();
        std::uint64_t low = std::numeric_limits<std::uint64_t>::max();
        std::uint64_t high = 0;
        for (const auto& m : state.members) {
          low = std::min(low, m.clock);
          high = std::max(high, m.clock);
        }
        REQUIRE(high - low <= bound);
        largest = std::max(largest, high - low);
      }
      CHECK(largest == bound); // the bound was felt
    }
}

TEST_CASE("controller random: a run that is saved anywhere and restored goes on where it was") {
  // The state that a checkpoint holds is taken from the world's last save; the restored controller trains
  // what is left, no more and no less.
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    rng random(seed, 9);
    const auto setup = small_run({"duration.epochs=3"});
    manual_clock time;
    saving_world first;
    mutable_blob block(setup->net->parameters().size());
    const blob gradient = std::move(block).freeze();
    const auto play = [&](saving_world& world, run_controller& controller, std::uint64_t results) {
      int collections = 0;
      int checkpoints = 0;
      int evaluations = 0;
      std::uint32_t point = 0;
      for (int i = 0; i < 5000 && !world.summary; ++i) {
        std::vector<shared_batch> batches;
        for (; world.asked > 0; --world.asked) {
          drawn_batch b;
          for (int k = 0; k < 16; ++k)
            b.ids.push_back(point++ % 512);
          b.weights.assign(16, 1.0F);
          batches.push_back(std::make_shared<const drawn_batch>(std::move(b)));
        }
        if (!batches.empty())
          controller.batches_arrived(batches);
        if (world.collections > collections && ++collections > 0)
          controller.sampler_state_arrived({});
        if (world.checkpoints > checkpoints && ++checkpoints > 0)
          controller.checkpoint_done("step", "");
        if (world.evaluations > evaluations && ++evaluations > 0)
          controller.evaluation_arrived({});
        if (world.orders.empty())
          continue;
        if (results-- == 0)
          controller.stop();
        train_result r;
        r.member = world.orders.begin()->first;
        r.lease = world.orders.begin()->second.lease;
        r.base_version = world.orders.begin()->second.base.version;
        r.gradient = gradient;
        r.loss_sum = 8.0;
        world.orders.clear();
        time.advance(0.01);
        controller.results_arrived({&r, 1});
      }
    };
    run_controller begun(setup, time, first);
    begun.start();
    begun.member_joined("a");
    play(first, begun, random.below(90));
    REQUIRE(first.summary);
    if (first.summary->status != run_status::interrupted)
      continue; // it was over before
    saving_world second;
    run_controller resumed(setup, time, second);
    const auto restored = resumed.restore(first.last.parameters.view(), first.saved);
    REQUIRE_MESSAGE(restored.ok(), restored.error().message);
    CHECK(resumed.current().version == first.summary->steps);
    resumed.start();
    CHECK(second.collections == 0); // a healthy state exists: no checkpoint at once
    CHECK_FALSE(second.paused);     // and no pause that would end with scoring
    resumed.member_joined("a");
    play(second, resumed, 100000);
    REQUIRE(second.summary);
    CHECK(second.summary->status == run_status::finished);
    CHECK(second.summary->samples_trained == 3 * 512);
    CHECK(second.summary->steps == 3 * 512 / 16);
    CHECK(second.summary->train_seconds == doctest::Approx(0.01 * 96));
  }
}

TEST_CASE("controller random: a saved state that lacks anything, or holds another type, is refused by name") {
  const auto setup = small_run({});
  manual_clock time;
  saving_world world;
  run_controller controller(setup, time, world);
  controller.start();
  controller.sampler_state_arrived({});
  REQUIRE_FALSE(world.saved.entries().empty());
  const auto restore = [&](const saved_state& state) {
    fake_world other;
    run_controller next(setup, time, other);
    return next.restore(world.last.parameters.view(), state);
  };
  REQUIRE(restore(world.saved).ok());
  for (const auto& entry : world.saved.entries()) {
    CAPTURE(entry.name);
    saved_state without;
    saved_state wrong;
    for (const auto& e : world.saved.entries()) {
      if (e.name != entry.name)
        without.put(e.name, e.data);
      wrong.put(e.name,
                e.name == entry.name ? saved_state::values(std::vector<std::int32_t>{1, 2, 3}) : e.data);
    }
    const auto missing = restore(without);
    REQUIRE_FALSE(missing.ok());
    CHECK(missing.error().kind == error_kind::data);
    const auto last_part = entry.name.substr(entry.name.rfind('/') + 1);
    CHECK_MESSAGE(missing.error().message.find(last_part) != std::string::npos, missing.error().message);
    CHECK_FALSE(restore(wrong).ok());
  }
}
