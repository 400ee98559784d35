#include "protocol_support.hpp"

#include "actors/coordinator.hpp"

using namespace triage;
using namespace triage::test;

TEST_CASE("protocol: a whole run, message by message, ends by itself and leaves no actor behind") {
  for (const int workers : {1, 3}) {
    deterministic_system d;
    const auto setup = small_run(
        {"duration.epochs=2", "runtime.workers=" + std::to_string(workers),
         R"(sampling={"type":"pps_epoch","estimator":{"type":"oldest_first","refresh_after_epochs":0.2},"warm_epochs":0.5})"});
    auto log = std::make_shared<heard>();
    const auto monitor = d.track(d.system.spawn(fake_monitor, log));
    const auto before = d.system.registry().running();
    d.track(spawn_coordinator(d.system, context_for(setup), monitor, std::nullopt));
    d.scheduler.run();
    REQUIRE(log->end.has_value());
    CHECK(log->end->summary.status == run_status::finished);
    CHECK(log->end->summary.samples_scored > 0);
    CHECK(log->evaluations == 2);
    CHECK(log->warnings.empty());
    CHECK(d.system.registry().running() == before);
  }
}

TEST_CASE("protocol: whatever the order of delivery, bsp gives the same parameters") {
  std::optional<blob> first;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    deterministic_system d;
    const auto setup = small_run({"duration.epochs=1", "runtime.workers=3"});
    auto log = std::make_shared<heard>();
    const auto monitor = d.track(d.system.spawn(fake_monitor, log));
    d.track(spawn_coordinator(d.system, context_for(setup), monitor, std::nullopt));
    rng random(seed, 7);
    while (d.scheduler.has_job()) {
      const auto k = static_cast<std::ptrdiff_t>(random.below(d.scheduler.jobs.size()));
      std::rotate(d.scheduler.jobs.begin(), d.scheduler.jobs.begin() + k, d.scheduler.jobs.end());
      d.scheduler.run_once();
    }
    REQUIRE(log->end.has_value());
    if (!first)
      first = log->end->parameters;
    else
      CHECK(largest_difference(*first, log->end->parameters) < 1e-5);
  }
}
