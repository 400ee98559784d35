#include "actors/batch_trainer.hpp"
#include "run_support.hpp"

#include <string>

using namespace triage;
using namespace triage::test;

namespace {

struct counting_observer final : gradient_observer {
  void final_from(std::size_t offset) override { offsets.push_back(offset); }
  std::vector<std::size_t> offsets;
};

/// Lets time pass when it is asked.
struct slow_gate final : parameter_gate {
  explicit slow_gate(manual_clock& c) : time(c) {}
  void await(std::size_t) override { time.advance(0.5); }
  manual_clock& time;
};

} // namespace

TEST_CASE("layer recorder: layers in their order, waiting apart from computing, everybody still told") {
  manual_clock time;
  trace_lane lane;
  layer_recorder recorder(lane, time);
  counting_observer observer;
  slow_gate gate(time);
  recorder.follow(7, 100, &observer, &gate);
  for (const std::size_t end : {60U, 100U}) {
    recorder.await(end);
    time.advance(1.0);
  }
  recorder.await(120); // all of the block, statistics too
  time.advance(2.0);
  recorder.final_from(60);
  time.advance(3.0);
  recorder.final_from(0);
  CHECK(observer.offsets == std::vector<std::size_t>{60, 0});
  std::vector<std::string> names;
  for (const auto& e : lane.events) {
    names.emplace_back(e.name);
    CHECK(e.version == 7);
  }
  CHECK(names ==
        std::vector<std::string>{"wait", "forward", "wait", "forward", "wait", "backward", "backward"});
  CHECK(lane.events[0].end - lane.events[0].begin == doctest::Approx(0.5));
  CHECK(lane.events[1].floats == 60);
  CHECK(lane.events[1].end - lane.events[1].begin == doctest::Approx(1.0));
  CHECK(lane.events[3].floats == 100);
  CHECK(lane.events[5].floats == 40);
  CHECK(lane.events[5].end - lane.events[5].begin == doctest::Approx(2.0));
  CHECK(lane.events[6].floats == 60);
  CHECK(lane.events[6].end - lane.events[6].begin == doctest::Approx(3.0));
}

TEST_CASE(
    "layer recorder: a traced pass gives the same gradient and parts, and covers all of its parameters") {
  const auto setup = small_run();
  batch_trainer plain(setup);
  batch_trainer traced(setup);
  trace_lane lane;
  const steady_clock time;
  layer_recorder recorder(lane, time);
  traced.record(&recorder);
  mutable_blob block(setup->net->parameters().size());
  setup->net->parameters().initialise(block.values(), 1);
  const snapshot base{3, std::move(block).freeze()};
  drawn_batch batch;
  for (std::uint32_t i = 0; i < 8; ++i)
    batch.ids.push_back(i);
  batch.weights.assign(8, 1.0F);
  const auto a = plain.train(base, batch, 1);
  const auto b = traced.train(base, batch, 1);
  CHECK(std::equal(a.gradient.view().begin(), a.gradient.view().end(), b.gradient.view().begin()));
  std::size_t final_floats = 0;
  std::size_t needed = 0;
  for (const auto& e : lane.events) {
    if (std::string(e.name) == "backward")
      final_floats += e.floats;
    if (std::string(e.name) == "forward")
      needed = e.floats;
  }
  CHECK(final_floats == setup->net->parameters().trained_size());
  CHECK(needed + 16 > setup->net->parameters().trained_size()); // but for the gap behind the last
}
