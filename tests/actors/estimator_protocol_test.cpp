#include "breaking_layer.hpp"
#include "protocol_support.hpp"

#include "actors/point_scorer.hpp"
#include "actors/priority_estimator.hpp"
#include "actors/worker.hpp"

#include <numeric>

// Priority estimator and worker, each alone with a fake of its owner.

using namespace triage;
using namespace triage::test;

namespace {

struct score_notes {
  std::vector<estimator_ready> ready;
  std::vector<measured_scores> measured;
  std::vector<failure_notice> failures;
};

score_source_actor::behavior_type fake_score_source(score_source_actor::pointer,
                                                    std::shared_ptr<score_notes> notes) {
  return {
      [notes](const estimator_ready& m) { notes->ready.push_back(m); },
      [notes](const measured_scores& m) { notes->measured.push_back(m); },
      [notes](const failure_notice& m) { notes->failures.push_back(m); },
  };
}

const std::string scored_sampling =
    R"(sampling={"type":"pps_epoch","score":"loss","estimator":{"type":"oldest_first","refresh_after_epochs":1}})";

struct estimator_stage : protocol_stage {
  std::shared_ptr<score_notes> scores = std::make_shared<score_notes>();
  score_source_actor sampler = system.spawn(fake_score_source, scores);
  std::shared_ptr<const run_setup> setup;
  std::shared_ptr<run_context> context;
  estimator_actor estimator;

  explicit estimator_stage(std::vector<std::string> options = {}, const run_extensions& extensions = {}) {
    track(sampler);
    options.push_back(scored_sampling);
    options.emplace_back("runtime.scoring_precision=f32");
    setup = small_run(options, extensions);
    context = context_for(setup);
    context->tracing = true;
    fakes = system.registry().running();
    estimator = track(spawn_priority_estimator(*self.ptr(), context, sampler, monitor, "estimator-3"));
    scheduler.run();
  }
  [[nodiscard]] score_order order(std::uint64_t version, std::vector<std::uint32_t> ids) const {
    return {std::move(ids), first_snapshot(*setup, version), {}};
  }
};

} // namespace

TEST_CASE("estimator: reports for work once, under its name, and answers every order once, in order") {
  estimator_stage d;
  REQUIRE(d.scores->ready.size() == 1);
  CHECK(d.scores->ready[0].name == "estimator-3");
  CHECK_FALSE(d.scores->ready[0].newcomer);
  const std::vector<std::vector<std::uint32_t>> orders = {{5}, {1, 2, 3}, {511, 0, 511}};
  for (std::size_t i = 0; i < orders.size(); ++i)
    d.self->send(d.estimator, d.order(10 + i, orders[i]));
  d.scheduler.run();
  REQUIRE(d.scores->measured.size() == 3);
  point_scorer expected(d.setup, *d.context->time);
  for (std::size_t i = 0; i < orders.size(); ++i) {
    CHECK(d.scores->measured[i].version == 10 + i);
    CHECK(d.scores->measured[i].scores == expected.measure(first_snapshot(*d.setup), orders[i]));
    CHECK(d.scores->measured[i].gradient.empty()); // no projection is asked for
  }
  CHECK(d.scores->measured[2].scores[0] == d.scores->measured[2].scores[2]);
  CHECK(d.scores->ready.size() == 1);
  CHECK(d.scores->failures.empty());
}

TEST_CASE("estimator: the clock of the run says how long an order took") {
  estimator_stage d;
  d.tell(d.estimator, d.order(1, {1, 2}));
  REQUIRE(d.scores->measured.size() == 1);
  CHECK(d.scores->measured[0].busy_seconds == 0.0); // the clock of the test stands still
}

TEST_CASE("estimator: what throws is told with its reason, and the estimator ends") {
  run_extensions extensions;
  extensions.layers = breaking_table;
  estimator_stage d({breaking_model}, extensions);
  {
    const broken_for_now broken(breakage::throws);
    d.self->send(d.estimator, d.order(1, {1}));
    d.self->send(d.estimator, d.order(2, {2})); // never served
    d.scheduler.run();
  }
  CHECK(d.scores->measured.empty());
  REQUIRE(d.scores->failures.size() == 1);
  CHECK(d.scores->failures[0].name == "estimator-3");
  CHECK(d.scores->failures[0].reason == "the layer broke");
  CHECK(d.only_fakes_left());
}

TEST_CASE("estimator: scores that are not finite are handed over as they are: its owner judges them") {
  run_extensions extensions;
  extensions.layers = breaking_table;
  estimator_stage d({breaking_model}, extensions);
  const broken_for_now broken(breakage::spoils);
  d.tell(d.estimator, d.order(1, {1, 2, 3}));
  REQUIRE(d.scores->measured.size() == 1);
  REQUIRE(d.scores->measured[0].scores.size() == 3);
  CHECK(std::isnan(d.scores->measured[0].scores[0]));
  CHECK(std::isfinite(d.scores->measured[0].scores[1]));
}

TEST_CASE("estimator: ends with the sampler, and hands its lane over") {
  estimator_stage d;
  d.tell(d.estimator, d.order(4, {1}));
  d.end(d.sampler);
  CHECK(d.system.registry().running() == d.fakes - 1);
  REQUIRE(d.log->lanes.size() == 1);
  CHECK(d.log->lanes[0].name == "estimator-3");
  REQUIRE(d.log->lanes[0].events.size() == 1);
  CHECK(d.log->lanes[0].events[0].version == 4);
}

namespace {

struct worker_stage : protocol_stage {
  std::shared_ptr<const run_setup> setup;
  worker_actor worker;
  explicit worker_stage(const std::vector<std::string>& options = {}, const run_extensions& extensions = {}) {
    setup = small_run(options, extensions);
    worker = track(spawn_worker(*self.ptr(), context_for(setup), coordinator, monitor, "worker-1"));
    scheduler.run();
  }
  [[nodiscard]] train_order order(std::uint64_t lease, std::uint64_t version) const {
    drawn_batch b;
    b.ids = {1, 2, 3, 4};
    b.weights.assign(4, 1.0F);
    return {lease, first_snapshot(*setup, version), {std::make_shared<const drawn_batch>(std::move(b))}, {}};
  }
};

} // namespace

TEST_CASE("worker: joins once under its name, and signs each result with its number, lease and version") {
  worker_stage d;
  CHECK(d.notes->joined == std::vector<std::string>{"worker-1"});
  d.tell(d.worker, welcome{42});
  d.self->send(d.worker, d.order(7, 100));
  d.self->send(d.worker, d.order(8, 101));
  d.scheduler.run();
  REQUIRE(d.notes->results.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(d.notes->results[i].member == 42);
    CHECK(d.notes->results[i].lease == 7 + i);
    CHECK(d.notes->results[i].base_version == 100 + i);
    CHECK(d.notes->results[i].finite);
    CHECK(d.notes->results[i].loss_sum > 0.0);
    CHECK(d.notes->results[i].correct <= 4);
  }
  CHECK(d.notes->joined.size() == 1);
}

TEST_CASE("worker: a batch that spoils the loss is answered, marked, and its points are named") {
  run_extensions extensions;
  extensions.layers = breaking_table;
  worker_stage d({breaking_model}, extensions);
  d.tell(d.worker, welcome{1});
  {
    const broken_for_now broken(breakage::spoils);
    d.tell(d.worker, d.order(1, 0));
  }
  REQUIRE(d.notes->results.size() == 1);
  CHECK_FALSE(d.notes->results[0].finite);
  CHECK(d.notes->results[0].suspects == std::vector<std::uint32_t>{1}); // the first point of the batch
  d.tell(d.worker, d.order(2, 0));
  REQUIRE(d.notes->results.size() == 2);
  CHECK(d.notes->results[1].finite);
}

TEST_CASE(
    "worker: what throws is told with its reason, and the worker ends; so it does with its coordinator") {
  run_extensions extensions;
  extensions.layers = breaking_table;
  {
    worker_stage d({breaking_model}, extensions);
    const broken_for_now broken(breakage::throws);
    d.self->send(d.worker, d.order(1, 0));
    d.self->send(d.worker, d.order(2, 0));
    d.scheduler.run();
    CHECK(d.notes->results.empty());
    REQUIRE(d.notes->failures.size() == 1);
    CHECK(d.notes->failures[0].name == "worker-1");
    CHECK(d.notes->failures[0].reason == "the layer broke");
    CHECK(d.only_fakes_left());
  }
  worker_stage d;
  d.end(d.coordinator);
  CHECK(d.system.registry().running() == d.fakes - 1);
}
