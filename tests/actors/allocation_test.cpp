#include "run_support.hpp"
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
