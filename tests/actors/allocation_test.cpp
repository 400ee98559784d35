#include "core/checkpoint.hpp"
#include "run_support.hpp"
#include "sampling/sampling_source.hpp"
#include "tests/support/allocation_count.hpp"

using namespace triage;
using namespace triage::test;

namespace {

struct per_step {
  double calls = 0.0;
  double bytes = 0.0;
};

/// What a longer run allocates beyond a shorter one: start, warm-up and end cancel.
per_step steady_state(const std::vector<std::string>& overrides) {
  // Enough points for several steps a plan also with the larger batch: a plan allocates what it lists.
  constexpr int short_epochs = 3;
  constexpr int long_epochs = 9;
  struct counted {
    double calls, bytes, steps;
  };
  const auto count = [&](int epochs) {
    auto all = overrides;
    all.insert(all.end(), {"duration.epochs=" + std::to_string(epochs), "data.train_size=4096",
                           "evaluation.every_epochs=0", "checkpoint.every_epochs=0", "runtime.estimators=0"});
    const auto setup = small_run(all);
    const auto before = process_allocations::now();
    const auto outcome = run(setup);
    REQUIRE(outcome.summary.status == run_status::finished);
    const auto after = process_allocations::now();
    return counted{after.calls - before.calls, after.bytes - before.bytes,
                   static_cast<double>(outcome.summary.steps)};
  };
  const auto a = count(short_epochs);
  const auto b = count(long_epochs);
  return {(b.calls - a.calls) / (b.steps - a.steps), (b.bytes - a.bytes) / (b.steps - a.steps)};
}

} // namespace

TEST_CASE("a checkpoint whose content is handed over is copied once, into the bytes of its files") {
  constexpr std::size_t values = 1'000'000;
  const temporary_folder folder;
  checkpoint_content content{1, {{"weights", {values}, std::vector<float>(values, 0.5F)}}, {}};
  content.state.put("moments", std::vector<float>(values, 0.25F));
  const auto before = process_allocations::now();
  REQUIRE(write_checkpoint(folder.path("checkpoints"), std::move(content), 1).ok());
  const double copies = (process_allocations::now().bytes - before.bytes) / (values * sizeof(float));
  CHECK(copies >= 2.0); // one of each
  CHECK(copies < 2.1);
}

TEST_CASE("a source that draws allocates what it hands out, and its plans and looks next to nothing") {
  constexpr std::size_t points = 4096;
  constexpr std::size_t batch = 64;
  for (const std::string text : {R"({"type": "uniform"})", R"({"type": "pps_epoch", "warm_epochs": 0})",
                                 R"({"type": "auto", "warm_epochs": 0})"}) {
    CAPTURE(text);
    const auto document = parse_json(text, "test");
    REQUIRE(document.ok());
    auto made = make_sampling(*document, {"test", ""});
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
    sampling_source source(made.take(), points, batch, 1);
    rng random(2, rng_purpose::synthetic);
    drawn_batch drawn;
    std::vector<float> scores(2 * batch);
    const auto draw_points = [&](std::size_t count) {
      std::size_t drawn_points = 0;
      for (std::uint64_t version = 1; drawn_points < count; ++version) {
        REQUIRE(source.draw(0.1, version, drawn));
        for (std::size_t i = 0; i < drawn.ids.size(); ++i)
          scores[i] = std::exp(2.0F * static_cast<float>(random.normal()));
        source.record_byproducts(drawn, std::span(scores).first(drawn.ids.size()), version);
        drawn_points += drawn.ids.size();
      }
      return static_cast<double>(drawn_points);
    };
    (void)draw_points(6 * points);
    const auto before = process_allocations::now();
    const double count = draw_points(12 * points);
    const double bytes = (process_allocations::now().bytes - before.bytes) / count;
    MESSAGE("sampling " << text << ": " << bytes << " bytes a point");
    // A number, a weight and a frequency of four bytes each, in vectors that hold a batch.
    CHECK(bytes < 16.0);
  }
}

TEST_CASE("allocations of a step after warm-up: messages, and what plans list of each point; nothing of the "
          "model's size") {
  struct subject {
    int units; ///< of the first layer: 2000 are 72 KB of weights
    int batch;
  };
  struct allowance {
    std::string sampling;
    double calls;
    double bytes_of_point;
  };
  for (const auto& a : {allowance{"uniform", 60.0, 64.0}, allowance{"pps_epoch", 80.0, 1024.0}})
    for (const auto& s : {subject{16, 16}, subject{2000, 16}, subject{16, 128}}) {
      const auto step = steady_state({"sampling=" + a.sampling, "batch_size=" + std::to_string(s.batch),
                                      "model.0.units=" + std::to_string(s.units)});
      MESSAGE("sampling " << a.sampling << ", " << s.units << " units, batch " << s.batch << ": "
                          << step.calls << " allocations and " << step.bytes << " bytes a step");
      CHECK(step.calls < a.calls);
      CHECK(step.bytes < 8192.0 + a.bytes_of_point * s.batch);
    }
}
