#include "actors/net/coordinator_proxy.hpp"

#include <caf/all.hpp>

namespace triage {

namespace {

struct proxy_state {
  static inline const char* name = "coordinator proxy";
  std::shared_ptr<coordinator_session> session;
  float_format format = float_format::float32;
  std::map<caf::actor_addr, slot_number> slots; ///< of the workers and estimators here
  slot_number next = 0;
};

coordinator_proxy_actor::behavior_type
coordinator_proxy(coordinator_proxy_actor::stateful_pointer<proxy_state> self,
                  std::shared_ptr<coordinator_session> session,
                  const std::shared_ptr<const run_setup>& setup) {
  self->state.session = std::move(session);
  self->state.format = float_format_of(setup->config.wire_format);
  const auto sender = [self] { return caf::actor_cast<caf::actor_addr>(self->current_sender()); };
  const auto give_up = [self](const caf::actor_addr& who, const std::string& reason) {
    auto& s = self->state;
    if (const auto at = s.slots.find(who); at != s.slots.end()) {
      s.session->give_up(at->second, reason);
      s.slots.erase(at);
    }
  };
  self->set_down_handler([self, give_up](const caf::down_msg& down) {
    give_up(down.source, "it ended (" + self->system().render(down.reason) + ")");
  });
  const auto enlist = [self, sender](const std::string& name, const auto& handle) {
    auto& s = self->state;
    const auto slot = s.next++;
    s.slots[sender()] = slot;
    self->monitor(handle);
    s.session->join(slot, name, handle);
  };
  return {
      [self, enlist](const join_request& m) {
        enlist(m.name, caf::actor_cast<worker_actor>(self->current_sender()));
      },
      [self, enlist](const estimator_ready& m) {
        enlist(m.name, caf::actor_cast<estimator_actor>(self->current_sender()));
      },
      [self, sender, give_up](const failure_notice& m) {
        if (self->state.slots.contains(sender()))
          return give_up(sender(), m.reason);
        self->state.session->send_control(to_report_frame(true, m.name, "could not start: " + m.reason));
        self->state.session->give_up(std::nullopt, m.reason);
      },
      [self](gradient_part& m) { self->state.session->send_part(std::move(m)); },
      [self, sender](train_result& m) {
        auto& s = self->state;
        if (const auto at = s.slots.find(sender()); at != s.slots.end())
          s.session->send_result(at->second, std::move(m));
      },
      [self, sender](const measured_scores& m) {
        auto& s = self->state;
        if (const auto at = s.slots.find(sender()); at != s.slots.end())
          s.session->send(to_frame(at->second, m, s.format));
      },
      [self](const warning_report& m) {
        self->state.session->send_control(to_report_frame(true, m.source, m.text));
      },
      [self](const remark_report& m) {
        self->state.session->send_control(to_report_frame(false, m.source, m.text));
      },
      [self](const trace_lane& m) {
        self->state.session->send_control(to_frame(m, self->state.session->clock_offset()));
      },
      [](const flush_request&) { return flushed{}; },
  };
}

} // namespace

coordinator_proxy_actor spawn_coordinator_proxy(caf::actor_system& system,
                                                std::shared_ptr<coordinator_session> session,
                                                std::shared_ptr<const run_setup> setup) {
  // On a thread of its own: the scheduler's are the workers', and what these have finished shall leave while
  // they go on.
  return system.spawn<caf::detached>(coordinator_proxy, std::move(session), std::move(setup));
}

} // namespace triage
