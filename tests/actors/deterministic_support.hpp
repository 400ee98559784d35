#pragma once

#include "run_support.hpp"

#include "actors/coordinator.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <optional>
#include <string>
#include <vector>

// Actors under CAF's deterministic scheduler and virtual time: no threads, one message at a time.

namespace triage::test {

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

inline shared_context context_for(const std::shared_ptr<const run_setup>& setup) {
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

inline monitor_actor::behavior_type fake_monitor(monitor_actor::pointer, std::shared_ptr<heard> log) {
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

} // namespace triage::test
