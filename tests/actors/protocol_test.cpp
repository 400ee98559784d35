#include "run_support.hpp"

#include "actors/coordinator.hpp"
#include "actors/sampler.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

// Actors under CAF's deterministic scheduler and virtual time: no threads, one message at a time.

using namespace triage;
using namespace triage::test;

namespace {

struct deterministic_config : caf::actor_system_config {
  deterministic_config() { set("scheduler.policy", caf::atom("testing")); }
};

struct deterministic_system {
  deterministic_config config;
  caf::actor_system system{config};
  caf::scheduler::test_coordinator& scheduler =
      dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  caf::scoped_actor self{system, true};
  deterministic_system() { scheduler.clock().current_time += std::chrono::hours(1); }
  ~deterministic_system() {
    // Also when a check failed half-way: an actor that lives on would keep the system from ending.
    for (const auto& a : to_end)
      self->send_exit(a, caf::exit_reason::user_shutdown);
    scheduler.run();
  }
  template <class Handle>
  Handle track(Handle handle) {
    to_end.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  }
  std::vector<caf::actor> to_end;
};

shared_context context_for(const std::shared_ptr<const run_setup>& setup) {
  auto context = std::make_shared<run_context>();
  context->setup = setup;
  context->time = std::make_shared<manual_clock>();
  context->detach = false;
  return context;
}

/// A monitor that keeps what it is told.
struct heard {
  int evaluations = 0;
  std::vector<std::string> warnings;
  std::optional<run_finished> end;
};

monitor_actor::behavior_type fake_monitor(monitor_actor::pointer, std::shared_ptr<heard> log) {
  return {
      [](const run_started&) {},
      [](const progress_report&) {},
      [log](const evaluation_report&) { ++log->evaluations; },
      [log](const warning_report& w) { log->warnings.push_back(w.text); },
      [](const members_report&) {},
      [](const remark_report&) {},
      [](const trace_lane&) {},
      [log](const run_finished& end) { log->end = end; },
  };
}

} // namespace

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
