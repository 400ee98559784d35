#include "actors/compute_thread.hpp"
#include "actors/net/remote_node.hpp"

#include <caf/all.hpp>
#include <optional>

// The actors in the coordinator's process that stand for workers and estimators of nodes. They speak the
// interface of a local one, so that coordinator and sampler need not know the difference.

namespace triage {

namespace {

using remote_worker_actor = worker_actor::extend<caf::reacts_to<remote_result>, caf::reacts_to<remote_gone>,
                                                 caf::reacts_to<remote_leaving>>;
using remote_estimator_actor =
    estimator_actor::extend<caf::reacts_to<measured_scores>, caf::reacts_to<remote_gone>,
                            caf::reacts_to<remote_leaving>>;

/// What both have: the node, the place there, and whether it is about to leave.
struct remote_state {
  std::shared_ptr<remote_node> node;
  slot_number slot = 0;
  bool leaving = false;
  ~remote_state() {
    if (node)
      node->send_dismissed(slot);
  }
};

struct remote_worker_state : remote_state {
  static inline const char* name = "remote worker";
  std::size_t trained_size = 0;
  std::shared_ptr<const run_setup> setup;
  std::optional<blob_pool> decoded; ///< compressed results

  /// Here, in parallel with other nodes' results. What cannot be decoded counts as not finite.
  void decode(train_result& r) {
    const auto bytes = std::exchange(r.encoded, nullptr);
    if (!bytes)
      return;
    if (!decoded)
      decoded.emplace(setup->net->parameters().size());
    mutable_blob block = decoded->acquire();
    r.finite = setup->compression_up->decode(*bytes, block.values()).ok() && r.finite;
    r.gradient = std::move(block).freeze();
  }
};

struct remote_estimator_state : remote_state {
  static inline const char* name = "remote estimator";
};

remote_worker_actor::behavior_type
remote_worker(remote_worker_actor::stateful_pointer<remote_worker_state> self,
              std::shared_ptr<remote_node> node, slot_number slot, const coordinator_actor& coordinator,
              const std::string& name, const std::shared_ptr<const run_setup>& setup) {
  self->state.node = std::move(node);
  self->state.slot = slot;
  self->state.setup = setup;
  self->state.trained_size = setup->net->parameters().trained_size();
  const auto give_up = [self, coordinator, name](const std::string& reason) {
    self->send(coordinator, failure_notice{name, reason});
    self->quit();
  };
  self->monitor(coordinator);
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  self->send(coordinator, join_request{name, self->state.node->name()});
  return {
      [self](const welcome& m) { self->state.node->send_joined(self->state.slot, m.member); },
      [self, give_up](const train_order& order) {
        if (self->state.leaving)
          return give_up(left_as_asked); // the order returns to the coordinator with the lease
        self->state.node->send_train_order(self->state.slot, order);
      },
      guarded_handler(give_up,
                      [self, coordinator](remote_result& m) {
                        train_result& out = m.result;
                        auto& s = self->state;
                        if (out.encoded)
                          m.finite_from = s.trained_size; // nothing is known of what comes out
                        s.decode(out);
                        out.finite = m.is_finite(s.trained_size);
                        self->send(coordinator, std::move(out));
                      }),
      [give_up](const remote_gone& m) { give_up(m.reason); },
      [self](const remote_leaving&) {
        self->state.leaving = true;
        self->state.node->let_go_when_idle(self->state.slot);
      },
  };
}

remote_estimator_actor::behavior_type
remote_estimator(remote_estimator_actor::stateful_pointer<remote_estimator_state> self,
                 std::shared_ptr<remote_node> node, slot_number slot, const sampler_actor& sampler,
                 const std::string& name) {
  self->state.node = std::move(node);
  self->state.slot = slot;
  const auto give_up = [self, sampler, name](const std::string& reason) {
    self->send(sampler, failure_notice{name, reason});
    self->quit();
  };
  self->monitor(sampler);
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  self->send(sampler, estimator_ready{name, true});
  return {
      [self, give_up](const score_order& order) {
        if (self->state.leaving)
          return give_up(left_as_asked);
        self->state.node->send_score_order(self->state.slot, order);
      },
      [self, sampler](const measured_scores& m) { self->send(sampler, m); },
      [give_up](const remote_gone& m) { give_up(m.reason); },
      [give_up](const remote_leaving&) { give_up(left_as_asked); },
  };
}

} // namespace

caf::actor spawn_remote_worker(const cluster_run& run, std::shared_ptr<remote_node> node, slot_number slot,
                               const std::string& name) {
  return caf::actor_cast<caf::actor>(
      run.system.spawn(remote_worker, std::move(node), slot, run.coordinator, name, run.context->setup));
}

caf::actor spawn_remote_estimator(const cluster_run& run, std::shared_ptr<remote_node> node, slot_number slot,
                                  const std::string& name) {
  return caf::actor_cast<caf::actor>(
      run.system.spawn(remote_estimator, std::move(node), slot, run.sampler, name));
}

} // namespace triage
