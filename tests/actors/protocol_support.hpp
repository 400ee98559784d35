#pragma once

#include "run_support.hpp"

#include "actors/interfaces.hpp"
#include "actors/run_context.hpp"

#include <algorithm>
#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// Actors under CAF's deterministic scheduler and virtual time: no threads, one message at a time; and fakes
// of their partners, which keep what they are told.

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
  /// Delivers a message and all that follows from it.
  template <class Handle, class Message>
  void tell(const Handle& to, Message message) {
    self->send(to, std::move(message));
    scheduler.run();
  }
  template <class Handle>
  void end(const Handle& who) {
    self->send_exit(caf::actor_cast<caf::actor>(who), caf::exit_reason::user_shutdown);
    scheduler.run();
  }
  std::vector<caf::actor> to_end;
};

inline std::shared_ptr<run_context> context_for(const std::shared_ptr<const run_setup>& setup) {
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
  std::vector<std::string> remarks;
  std::vector<trace_lane> lanes;
  std::optional<run_finished> end;
};

inline monitor_actor::behavior_type fake_monitor(monitor_actor::pointer, std::shared_ptr<heard> log) {
  return {
      [](const run_started&) {},
      [](const progress_report&) {},
      [log](const evaluation_report&) { ++log->evaluations; },
      [log](const warning_report& w) { log->warnings.push_back(w.text); },
      [](const members_report&) {},
      [log](const remark_report& r) { log->remarks.push_back(r.text); },
      [log](const trace_lane& lane) { log->lanes.push_back(lane); },
      [log](const run_finished& end) { log->end = end; },
  };
}

/// A coordinator that keeps what it is told.
struct coordinator_notes {
  std::vector<std::string> joined;
  std::vector<caf::actor> joiners;
  std::vector<failure_notice> failures;
  std::vector<train_result> results;
  std::vector<shared_batch> batches;
  std::size_t deliveries = 0;
  std::vector<sampler_report> reports;
  std::vector<evaluation_outcome> evaluations;
  std::vector<checkpoint_outcome> checkpoints;
};

inline coordinator_actor::behavior_type fake_coordinator(coordinator_actor::pointer self,
                                                         std::shared_ptr<coordinator_notes> notes) {
  return {
      [self, notes](const join_request& m) {
        notes->joined.push_back(m.name);
        notes->joiners.push_back(caf::actor_cast<caf::actor>(self->current_sender()));
      },
      [notes](const failure_notice& m) { notes->failures.push_back(m); },
      [notes](const train_result& m) { notes->results.push_back(m); },
      [](const gradient_part&) {},
      [notes](const drawn_batches& m) {
        ++notes->deliveries;
        notes->batches.insert(notes->batches.end(), m.batches.begin(), m.batches.end());
      },
      [notes](const sampler_report& m) { notes->reports.push_back(m); },
      [notes](const evaluation_outcome& m) { notes->evaluations.push_back(m); },
      [notes](const checkpoint_outcome& m) { notes->checkpoints.push_back(m); },
      [](const stop_request&) {},
      [](const status_query&) { return status_answer{}; },
      [](const watch_tick&) {},
      [](const nodes_dismissed&) {},
      [](const arrivals_due&) {},
  };
}

/// A deterministic system with a fake coordinator and a fake monitor, for one real actor between them.
struct protocol_stage : deterministic_system {
  std::shared_ptr<coordinator_notes> notes = std::make_shared<coordinator_notes>();
  std::shared_ptr<heard> log = std::make_shared<heard>();
  coordinator_actor coordinator = track(system.spawn(fake_coordinator, notes));
  monitor_actor monitor = track(system.spawn(fake_monitor, log));
  std::size_t fakes = system.registry().running();

  /// Whether nobody but the fakes is alive.
  [[nodiscard]] bool only_fakes_left() { return system.registry().running() == fakes; }
};

/// The starting parameters of a setup.
inline snapshot first_snapshot(const run_setup& setup, std::uint64_t version = 0) {
  mutable_blob block(setup.net->parameters().size());
  setup.net->parameters().initialise(block.values(), setup.seed());
  return {version, std::move(block).freeze()};
}

} // namespace triage::test
