#include "run_support.hpp"

#include "actors/run_controller.hpp"

#include <map>

using namespace triage;
using namespace triage::test;

namespace {

/// Records what the controller asks for, and plays sampler, workers and services by hand.
class fake_world : public run_effects {
public:
  void send_order(std::uint64_t member, const train_order& order) override {
    CHECK_MESSAGE(orders.count(member) == 0, "a member has two orders at once");
    orders[member] = order;
    most_orders = std::max(most_orders, orders.size());
  }
  void dismiss(std::uint64_t member) override { dismissed.push_back(member); }
  void draw(std::size_t batches, double, const snapshot&) override {
    asked += batches;
    most_asked = std::max(most_asked, asked);
  }
  void record_byproducts(shared_batch, std::vector<float>, std::vector<float>, std::uint64_t) override {
    ++scores;
  }
  void pause_scoring(bool p) override { paused = p; }
  void evaluate(const snapshot&) override { ++evaluations; }
  void collect_sampler_state() override { ++collections; }
  void save_checkpoint(const snapshot&, saved_state) override { ++checkpoints; }
  void report(const progress_report&) override { ++reports; }
  void report_evaluation(const progress_report&, const evaluation_figures&) override {}
  void warn(const std::string& text) override { warnings.push_back(text); }
  void finished(const run_summary& s) override { summary = s; }

  std::map<std::uint64_t, train_order> orders;
  std::size_t most_orders = 0;
  std::vector<std::uint64_t> dismissed;
  std::size_t asked = 0;
  std::size_t most_asked = 0;
  int scores = 0;
  int evaluations = 0;
  int collections = 0;
  int checkpoints = 0;
  int reports = 0;
  bool paused = false;
  std::vector<std::string> warnings;
  std::optional<run_summary> summary;
};

struct scene {
  explicit scene(const std::vector<std::string>& options)
      : setup(small_run(options)), controller(setup, time, world), gradient(setup->net->parameters().size()) {
    std::fill(gradient.values().begin(), gradient.values().end(), 0.001F);
    shared = std::move(gradient).freeze();
    controller.start();
  }
  /// The sampler answers, the checkpointer writes, the evaluator measures: whatever is pending.
  void serve() {
    for (int i = 0; i < 8; ++i) {
      if (world.asked > 0) {
        std::vector<shared_batch> batches;
        for (; world.asked > 0; --world.asked) {
          drawn_batch b;
          for (std::uint32_t k = 0; k < 16; ++k)
            b.ids.push_back((next_point++) % 512);
          b.weights.assign(16, 1.0F);
          batches.push_back(std::make_shared<const drawn_batch>(std::move(b)));
        }
        controller.batches_arrived(std::move(batches));
      }
      if (world.collections > answered_collections) {
        ++answered_collections;
        controller.sampler_state_arrived({});
      }
      if (world.checkpoints > answered_checkpoints) {
        ++answered_checkpoints;
        controller.checkpoint_done("step", "");
      }
      if (world.evaluations > answered_evaluations) {
        ++answered_evaluations;
        controller.evaluation_arrived({});
      }
    }
  }
  void answer(std::uint64_t member, bool finite = true) {
    const train_order order = world.orders.at(member);
    world.orders.erase(member);
    train_result r;
    r.member = member;
    r.lease = order.lease;
    r.base_version = order.base.version;
    r.gradient = shared;
    r.finite = finite;
    time.advance(0.01);
    controller.result_arrived(r);
    serve();
  }

  manual_clock time;
  fake_world world;
  std::shared_ptr<const run_setup> setup;
  run_controller controller;
  mutable_blob gradient;
  blob shared;
  std::uint32_t next_point = 0;
  int answered_collections = 0;
  int answered_checkpoints = 0;
  int answered_evaluations = 0;
};

} // namespace

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
  CHECK(s.world.orders.at(0).batch == lost.batch);
  train_result late;
  late.member = 1;
  late.lease = lost.lease;
  late.gradient = s.shared;
  s.controller.result_arrived(late);
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
  s.controller.result_arrived(again);
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
    s.controller.result_arrived(r);
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
    s.controller.result_arrived(r);
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
