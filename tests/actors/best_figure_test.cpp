#include "actors/best_figure.hpp"
#include "tests/actors/controller_scene.hpp"

#include <cmath>
#include <doctest/doctest.h>

using namespace triage;
using namespace triage::test;

namespace {

evaluation_figures losses(double train, std::optional<double> test = std::nullopt,
                          std::optional<double> accuracy = std::nullopt) {
  evaluation_figures f;
  f.train_loss = train;
  f.test_loss = test;
  f.test_accuracy = accuracy;
  return f;
}

/// A run whose evaluations give these train losses, and the last of them for ever. Returns what it comes to.
run_summary run_with(const std::vector<double>& values, const std::vector<std::string>& options,
                     int* best_checkpoints = nullptr, int* checkpoints = nullptr) {
  scene s(options);
  s.answered_evaluations = 1000000; // this test answers
  s.controller.member_joined("a");
  s.serve();
  int answered = 0;
  for (int step = 0; step < 100000 && !s.world.summary; ++step) {
    if (s.world.evaluations > answered) {
      const auto i = std::min<std::size_t>(static_cast<std::size_t>(answered++), values.size() - 1);
      s.controller.evaluation_arrived(losses(values[i]));
      s.serve();
    } else {
      REQUIRE(!s.world.orders.empty());
      s.answer(0);
    }
  }
  REQUIRE(s.world.summary);
  if (best_checkpoints != nullptr)
    *best_checkpoints = s.world.best_checkpoints;
  if (checkpoints != nullptr)
    *checkpoints = s.world.checkpoints;
  return *s.world.summary;
}

const std::string patience = R"(duration.patience={"metric":"train_loss","epochs":2})";

} // namespace

TEST_CASE("best figure: losses fall, accuracies rise, and what is no number is never the best") {
  best_figure loss("test_loss");
  CHECK(!loss.offer(losses(1.0), 1.0, 10)); // not measured
  CHECK(loss.epochs_without_better() == 0.0);
  CHECK(!loss.offer(losses(1.0, std::nan("")), 1.0, 10));
  CHECK(loss.offer(losses(1.0, 0.5), 1.0, 10));
  CHECK(!loss.offer(losses(1.0, 0.5), 2.0, 20)); // as good is not better
  CHECK(loss.offer(losses(1.0, 0.4), 3.0, 30));
  CHECK(!loss.offer(losses(1.0, 0.6), 4.0, 40));
  REQUIRE(loss.best());
  CHECK(loss.best()->value == 0.4);
  CHECK(loss.best()->step == 30);
  CHECK(loss.epochs_without_better() == 1.0);
  best_figure accuracy("test_accuracy", 0.01);
  CHECK(accuracy.offer(losses(1.0, 0.5, 0.90), 1.0, 10));
  CHECK(!accuracy.offer(losses(1.0, 0.5, 0.905), 2.0, 20)); // not by more than it has to be
  CHECK(!accuracy.offer(losses(1.0, 0.5, 0.80), 3.0, 30));
  CHECK(accuracy.offer(losses(1.0, 0.5, 0.92), 4.0, 40));
  CHECK(!best_figure("").offer(losses(0.0), 1.0, 1));
}

TEST_CASE("best figure: what is better by too little to count is the best all the same") {
  best_figure best("train_loss", 0.5);
  CHECK(best.offer(losses(1.0), 1.0, 10));
  CHECK_FALSE(best.offer(losses(0.8), 2.0, 20));
  CHECK_FALSE(best.offer(losses(0.6), 3.0, 30));
  CHECK(best.best()->value == 0.6);
  CHECK(best.best()->step == 30);
  CHECK(best.epochs_without_better() == 2.0);
  saved_state state;
  best.save(state, "b");
  best_figure again("train_loss", 0.5);
  REQUIRE(again.load(state, "b").ok());
  CHECK(again.best()->value == 0.6);
  CHECK(again.epochs_without_better() == 2.0);
  CHECK(again.offer(losses(0.4), 4.0, 40));
  again.forget();
  CHECK_FALSE(again.best());
  CHECK(again.offer(losses(9.0), 5.0, 50));
}

TEST_CASE("controller: a best state that cannot be kept is a warning, and the next one is the best again") {
  scene s({"checkpoint.best=train_loss", "evaluation.every_epochs=1", "duration.epochs=3"});
  s.answered_evaluations = 1000000;
  s.controller.member_joined("a");
  s.serve();
  int answered = 0;
  int best_before = 0;
  while (!s.world.summary) {
    if (s.world.evaluations == answered) {
      s.answer(0);
      continue;
    }
    s.controller.evaluation_arrived(losses(1.0 + answered++)); // never better than the first
    if (answered == 1) {
      best_before = s.world.best_checkpoints;
      s.controller.best_not_kept("disk full");
    }
    s.serve();
  }
  CHECK(std::any_of(s.world.warnings.begin(), s.world.warnings.end(),
                    [](const auto& w) { return w.find("disk full") != std::string::npos; }));
  CHECK(s.world.best_checkpoints > best_before); // the second evaluation's, though it is worse
  CHECK(s.world.summary->best->value == 2.0);
  CHECK(s.world.summary->status == run_status::finished);
}

TEST_CASE("controller: while the train loss is no number there are no checkpoints, and at the end the run "
          "has failed") {
  scene s({"evaluation.every_epochs=1", "checkpoint.every_epochs=1", "duration.epochs=4"});
  s.answered_evaluations = 1000000;
  s.controller.member_joined("a");
  s.serve();
  const int first = s.world.checkpoints;
  int answered = 0;
  std::vector<int> checkpoints;
  while (!s.world.summary) {
    if (s.world.evaluations == answered) {
      s.answer(0);
      continue;
    }
    checkpoints.push_back(s.world.checkpoints);
    s.controller.evaluation_arrived(losses(++answered == 2 ? 1.0 : std::nan("")));
    s.serve();
  }
  REQUIRE(checkpoints.size() == 4);
  CHECK(checkpoints[1] == first);     // nothing was written after the first
  CHECK(checkpoints[2] == first + 1); // but after the second
  CHECK(s.world.checkpoints == first + 1);
  CHECK(s.world.summary->status == run_status::failed);
  CHECK(s.world.summary->problem.find("diverged") != std::string::npos);
}

TEST_CASE("best figure: is saved and loaded, but not for another metric") {
  best_figure loss("test_loss");
  REQUIRE(loss.offer(losses(1.0, 0.5), 1.5, 10));
  saved_state state;
  loss.save(state, "best");
  best_figure same("test_loss");
  REQUIRE(same.load(state, "best").ok());
  REQUIRE(same.best());
  CHECK(same.best()->value == 0.5);
  CHECK(same.best()->epochs == 1.5);
  CHECK(same.best()->step == 10);
  CHECK(same.epochs_without_better() == 0.0);
  CHECK(!same.offer(losses(1.0, 0.6), 3.0, 20));
  same.save(state, "worse since");
  best_figure later("test_loss");
  REQUIRE(later.load(state, "worse since").ok());
  CHECK(later.epochs_without_better() == 1.5);
  best_figure other("test_accuracy");
  REQUIRE(other.load(state, "best").ok());
  CHECK(!other.best());
  REQUIRE(same.load({}, "best").ok()); // a checkpoint from before there was such a thing
  CHECK(!same.best());
  saved_state broken;
  broken.put("best/value", std::vector<double>{1.0});
  CHECK(!same.load(broken, "best").ok());
}

TEST_CASE("controller: a run ends when its figure has not become better for as long as it has patience") {
  const auto s = run_with({0.5, 0.4, 0.45, 0.41, 0.3}, {"duration.epochs=20", patience});
  CHECK(s.status == run_status::stopped_improving);
  CHECK(s.epochs == doctest::Approx(4.0).epsilon(0.05));
  REQUIRE(s.best);
  CHECK(s.best->value == 0.4);
  CHECK(s.best->epochs == doctest::Approx(2.0).epsilon(0.05));
  // Better each time, if only by a little; and not by enough.
  const std::vector<double> slowly{0.5, 0.499, 0.498, 0.497, 0.496, 0.495, 0.494};
  CHECK(run_with(slowly, {"duration.epochs=6", patience}).status == run_status::finished);
  const auto coarse =
      run_with(slowly, {"duration.epochs=6",
                        R"(duration.patience={"metric":"train_loss","epochs":2,"min_change":0.01})"});
  CHECK(coarse.status == run_status::stopped_improving);
  CHECK(coarse.epochs == doctest::Approx(3.0).epsilon(0.05));
  // Evaluations that are more frequent than epochs.
  const auto often =
      run_with({0.5, 0.4, 0.45}, {"duration.epochs=20", patience, "evaluation.every_epochs=0.5"});
  CHECK(often.status == run_status::stopped_improving);
  CHECK(often.epochs == doctest::Approx(3.0).epsilon(0.05));
}

TEST_CASE("controller: the checkpoint of each best evaluation is marked, whatever their cadence") {
  int best = 0;
  int all = 0;
  const std::vector<double> values{0.5, 0.4, 0.45, 0.3, 0.35};
  (void)run_with(values, {"duration.epochs=5", "checkpoint.best=train_loss"}, &best, &all);
  CHECK(best == 3);
  CHECK(all == 6); // the first, and one an epoch
  (void)run_with(values, {"duration.epochs=5", "checkpoint.best=train_loss", "checkpoint.every_epochs=0"},
                 &best, &all);
  CHECK(best == 3);
  CHECK(all == 5); // the first, the best, the last
  (void)run_with(values, {"duration.epochs=5"}, &best, &all);
  CHECK(best == 0);
}

TEST_CASE("controller: patience and best go on in a resumed run") {
  const std::vector<std::string> options{"duration.epochs=20", patience, "checkpoint.best=train_loss"};
  basic_scene<saving_world> s(options);
  s.answered_evaluations = 1000000;
  s.controller.member_joined("a");
  s.serve();
  const std::vector<double> values{0.5, 0.4, 0.45};
  for (std::size_t answered = 0; answered < values.size() || s.world.collections > s.answered_collections;) {
    if (s.world.evaluations > static_cast<int>(answered)) {
      s.controller.evaluation_arrived(losses(values[answered++]));
      s.serve();
    } else {
      s.answer(0);
    }
  }
  // Stopped between two evaluations: the next one decides, not the distance to the best.
  for (int i = 0; i < 22; ++i)
    s.answer(0);
  s.controller.stop();
  s.serve();
  const auto resumed = [&](const std::vector<std::string>& changed) {
    auto again = std::make_unique<scene>(changed);
    REQUIRE(again->controller.restore(s.world.last.parameters.view(), s.world.saved).ok());
    again->answered_evaluations = 1000000;
    again->controller.member_joined("a");
    again->serve();
    for (int step = 0; step < 10000 && !again->world.summary; ++step)
      if (again->world.evaluations > 0) {
        again->controller.evaluation_arrived(losses(0.45));
        again->serve();
        if (!again->world.summary)
          return run_summary{};
      } else {
        again->answer(0);
      }
    REQUIRE(again->world.summary);
    return *again->world.summary;
  };
  const auto same = resumed(options); // one epoch is gone, one is left
  CHECK(same.status == run_status::stopped_improving);
  CHECK(same.epochs == doctest::Approx(4.0).epsilon(0.05));
  REQUIRE(same.best);
  CHECK(same.best->value == 0.4);
  CHECK(resumed({"duration.epochs=20", R"(duration.patience={"metric":"train_loss","epochs":5})"}).steps ==
        0);
}
