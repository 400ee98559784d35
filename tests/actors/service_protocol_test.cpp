#include "breaking_layer.hpp"
#include "protocol_support.hpp"

#include "actors/checkpointer.hpp"
#include "actors/evaluator.hpp"
#include "actors/model_evaluator.hpp"
#include "nn/model_tensors.hpp"

#include <fstream>

// Evaluator and checkpointer, each alone between fakes.

using namespace triage;
using namespace triage::test;

TEST_CASE("evaluator: every order is answered once, with the figures of its own snapshot") {
  protocol_stage d;
  const auto setup = small_run();
  const auto evaluator =
      d.track(spawn_evaluator(*d.self.ptr(), context_for(setup), d.coordinator, d.monitor));
  std::vector<snapshot> snapshots;
  for (std::uint64_t v = 0; v < 3; ++v) {
    mutable_blob block(setup->net->parameters().size());
    setup->net->parameters().initialise(block.values(), 100 + v);
    snapshots.push_back({v, std::move(block).freeze()});
    d.self->send(evaluator, evaluate_order{snapshots.back()});
  }
  d.scheduler.run();
  REQUIRE(d.notes->evaluations.size() == 3);
  model_evaluator expected(setup);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(d.notes->evaluations[i].problem.empty());
    const auto figures = expected.evaluate(snapshots[i].parameters.view());
    CHECK(d.notes->evaluations[i].figures.train_loss == figures.train_loss);
    CHECK(d.notes->evaluations[i].figures.test_loss == figures.test_loss);
    CHECK(d.notes->evaluations[i].figures.test_accuracy == figures.test_accuracy);
  }
  CHECK(d.notes->evaluations[0].figures.train_loss != d.notes->evaluations[1].figures.train_loss);
}

TEST_CASE("evaluator: a failure is answered with its reason, and the next order is served") {
  protocol_stage d;
  run_extensions extensions;
  extensions.layers = breaking_table;
  const auto setup = small_run({breaking_model}, extensions);
  const auto evaluator =
      d.track(spawn_evaluator(*d.self.ptr(), context_for(setup), d.coordinator, d.monitor));
  {
    const broken_for_now broken(breakage::throws);
    d.tell(evaluator, evaluate_order{first_snapshot(*setup)});
  }
  REQUIRE(d.notes->evaluations.size() == 1);
  CHECK(d.notes->evaluations[0].problem == "the layer broke");
  d.tell(evaluator, evaluate_order{first_snapshot(*setup)});
  REQUIRE(d.notes->evaluations.size() == 2);
  CHECK(d.notes->evaluations[1].problem.empty());
  CHECK(std::isfinite(d.notes->evaluations[1].figures.train_loss));
}

TEST_CASE("evaluator: its lane reaches the monitor when it ends, and it ends with the coordinator") {
  protocol_stage d;
  const auto setup = small_run();
  auto context = context_for(setup);
  context->tracing = true;
  d.track(spawn_evaluator(*d.self.ptr(), context, d.coordinator, d.monitor));
  const auto evaluator = d.to_end.back();
  d.tell(caf::actor_cast<evaluator_actor>(evaluator), evaluate_order{first_snapshot(*setup, 7)});
  CHECK(d.log->lanes.empty());
  d.end(d.coordinator);
  REQUIRE(d.log->lanes.size() == 1);
  CHECK(d.log->lanes[0].name == "evaluator");
  REQUIRE(d.log->lanes[0].events.size() == 1);
  CHECK(d.log->lanes[0].events[0].version == 7);
  CHECK(d.system.registry().running() == d.fakes - 1);
}

TEST_CASE(
    "checkpointer: an order becomes a checkpoint that reads back, in order, and only so many are kept") {
  protocol_stage d;
  const temporary_folder folder;
  const auto setup = small_run({"checkpoint.keep=2"});
  auto context = context_for(setup);
  context->checkpoint_directory = folder.path("checkpoints");
  const auto checkpointer = d.track(spawn_checkpointer(*d.self.ptr(), context, d.coordinator));
  saved_state state;
  state.put("some/thing", std::vector<double>{1.5, -2.0});
  for (std::uint64_t v = 1; v <= 4; ++v)
    d.self->send(checkpointer, checkpoint_order{first_snapshot(*setup, v), state});
  d.scheduler.run();
  REQUIRE(d.notes->checkpoints.size() == 4);
  for (const auto& c : d.notes->checkpoints)
    CHECK_MESSAGE(c.problem.empty(), c.problem);
  CHECK(list_checkpoints(folder.path("checkpoints")).size() == 2);
  const auto read = read_checkpoint(d.notes->checkpoints.back().path);
  REQUIRE_MESSAGE(read.ok(), read.error().message);
  CHECK(read->step == 4);
  CHECK(read->state.get<double>("some/thing").value() == std::vector<double>{1.5, -2.0});
  std::vector<float> block(setup->net->parameters().size());
  REQUIRE(write_model(setup->net->parameters(), read->model, block).ok());
  const auto expected = first_snapshot(*setup).parameters;
  CHECK(std::equal(block.begin(), block.end(), expected.view().begin(), expected.view().end()));
}

TEST_CASE("checkpointer: the best one is kept in a place of its own, alone") {
  protocol_stage d;
  const temporary_folder folder;
  const auto setup = small_run({"checkpoint.keep=1"});
  auto context = context_for(setup);
  context->checkpoint_directory = folder.path("checkpoints");
  context->best_directory = folder.path("best");
  const auto checkpointer = d.track(spawn_checkpointer(*d.self.ptr(), context, d.coordinator));
  // The last is from before the one that is the best so far: the run was resumed from an earlier step.
  for (const auto& [version, best] : {std::pair{1U, true}, {2U, false}, {5U, true}, {3U, true}, {4U, false}})
    d.self->send(checkpointer, checkpoint_order{first_snapshot(*setup, version), {}, best});
  d.scheduler.run();
  for (const auto& c : d.notes->checkpoints)
    CHECK_MESSAGE(c.problem.empty(), c.problem);
  REQUIRE(list_checkpoints(folder.path("best")).size() == 1);
  const auto best = read_latest_checkpoint(folder.path("best"));
  REQUIRE(best.ok());
  CHECK(best->content.step == 3);
  CHECK(read_latest_checkpoint(folder.path("checkpoints"))->content.step == 5);
}

TEST_CASE("checkpointer: without a directory it says done and writes nothing") {
  protocol_stage d;
  const auto setup = small_run();
  const auto checkpointer = d.track(spawn_checkpointer(*d.self.ptr(), context_for(setup), d.coordinator));
  d.tell(checkpointer, checkpoint_order{first_snapshot(*setup), {}});
  REQUIRE(d.notes->checkpoints.size() == 1);
  CHECK(d.notes->checkpoints[0].path.empty());
  CHECK(d.notes->checkpoints[0].problem.empty());
}

TEST_CASE(
    "checkpointer: what cannot be written is answered with the place, and the next order is tried again") {
  protocol_stage d;
  const temporary_folder folder;
  const auto setup = small_run();
  auto context = context_for(setup);
  context->checkpoint_directory = folder.path("blocked/checkpoints");
  std::ofstream(folder.path("blocked")) << "a file where a folder should be";
  const auto checkpointer = d.track(spawn_checkpointer(*d.self.ptr(), context, d.coordinator));
  d.tell(checkpointer, checkpoint_order{first_snapshot(*setup, 1), {}});
  REQUIRE(d.notes->checkpoints.size() == 1);
  CHECK(d.notes->checkpoints[0].path.empty());
  CHECK(d.notes->checkpoints[0].problem.find(folder.path("blocked")) != std::string::npos);
  std::filesystem::remove(folder.path("blocked"));
  d.tell(checkpointer, checkpoint_order{first_snapshot(*setup, 2), {}});
  REQUIRE(d.notes->checkpoints.size() == 2);
  CHECK(d.notes->checkpoints[1].problem.empty());
  CHECK(read_checkpoint(d.notes->checkpoints[1].path).ok());
}

TEST_CASE("checkpointer: ends with the coordinator") {
  protocol_stage d;
  d.track(spawn_checkpointer(*d.self.ptr(), context_for(small_run()), d.coordinator));
  d.scheduler.run();
  CHECK(d.system.registry().running() == d.fakes + 1);
  d.end(d.coordinator);
  CHECK(d.system.registry().running() == d.fakes - 1);
}
