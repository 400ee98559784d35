#pragma once

#include "local_net.hpp"
#include "node_support.hpp"

// A remote_node between links whose other ends the test plays, and fakes of coordinator, sampler and monitor.

namespace triage::test {

struct remote_world {
  told_lines told;
  late_value<caf::actor> arrival; ///< the actor that stands for a new worker or estimator
  late_value<train_result> result;
  late_value<measured_scores> scores;

  void add(const gradient_part& part) {
    const std::lock_guard guard(lock_);
    parts_.push_back(part);
  }
  [[nodiscard]] std::vector<gradient_part> parts() {
    const std::lock_guard guard(lock_);
    return parts_;
  }

private:
  std::mutex lock_;
  std::vector<gradient_part> parts_;
};

inline coordinator_actor::behavior_type coordinator_of(coordinator_actor::pointer self, remote_world* w) {
  return {
      [self, w](const join_request& m) {
        w->arrival.set(caf::actor_cast<caf::actor>(self->current_sender()));
        w->told.add("join " + m.name);
      },
      [w](const failure_notice& m) { w->told.add("failure " + m.name + ": " + m.reason); },
      [w](const train_result& m) {
        w->told.add("result " + std::to_string(m.lease));
        w->result.set(m); // wakes whoever then looks at what was told
      },
      [w](const gradient_part& m) { w->add(m); },
      [](const drawn_batches&) {},
      [](const sampler_report&) {},
      [](const evaluation_outcome&) {},
      [](const checkpoint_outcome&) {},
      [](const stop_request&) {},
      [](const status_query&) { return status_answer{}; },
      [](const watch_tick&) {},
      [](const nodes_dismissed&) {},
      [](const arrivals_due&) {},
  };
}

inline sampler_actor::behavior_type sampler_of(sampler_actor::pointer self, remote_world* w) {
  return {
      [](const draw_request&) {},
      [](const byproducts&) {},
      [self, w](const estimator_ready& m) {
        w->arrival.set(caf::actor_cast<caf::actor>(self->current_sender()));
        w->told.add(std::string("estimator ") + (m.newcomer ? "new " : "") + m.name);
      },
      [w](const measured_scores& m) {
        w->scores.set(m);
        w->told.add("scores");
      },
      [w](const failure_notice& m) { w->told.add("failure " + m.name + ": " + m.reason); },
      [](const pause_request&) {},
      [](const collect_request&) {},
      [](const watch_orders&) {},
      [](const sampling_status_request&) { return sampling_status{}; },
  };
}

inline monitor_actor::behavior_type monitor_of(monitor_actor::pointer, remote_world* w) {
  return {
      [](const run_started&) {},
      [](const progress_report&) {},
      [](const evaluation_report&) {},
      [](const members_report&) {},
      [w](const warning_report& m) { w->told.add("warning " + m.source + ": " + m.text); },
      [w](const remark_report& m) { w->told.add("remark " + m.source + ": " + m.text); },
      [w](const trace_lane& m) { w->told.add("lane " + m.name); },
      [](const run_finished&) {},
  };
}

struct remote_stage {
  remote_world world;
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::shared_ptr<const run_setup> setup;
  coordinator_actor coordinator;
  sampler_actor sampler;
  monitor_actor monitor;
  local_net net;
  std::shared_ptr<snapshot_board> board; ///< null: there is none
  std::shared_ptr<recorder> heard_control = std::make_shared<recorder>();
  std::shared_ptr<recorder> heard_tensor = std::make_shared<recorder>();
  std::shared_ptr<triage::link> control; ///< the node's ends
  std::shared_ptr<triage::link> tensor;
  std::shared_ptr<cluster_run> run;
  std::shared_ptr<remote_node> node;
  late_value<std::string> ended;

  explicit remote_stage(std::size_t most_slots = 2, const std::vector<std::string>& options = {},
                        bool tracing = true, bool with_board = false)
      : setup(small_run(options)) {
    config.set("scheduler.max-threads", std::size_t{2});
    system = std::make_unique<caf::actor_system>(config);
    coordinator = system->spawn(coordinator_of, &world);
    sampler = system->spawn(sampler_of, &world);
    monitor = system->spawn(monitor_of, &world);
    auto context = std::make_shared<run_context>();
    context->setup = setup;
    context->time = std::make_shared<steady_clock>();
    context->tracing = tracing;
    if (with_board)
      board = snapshot_board::create(setup->net->parameters().size()).take();
    run = std::make_shared<cluster_run>(
        cluster_run{*system,
                    context,
                    coordinator,
                    sampler,
                    monitor,
                    {float_format::float32, board, setup->net->trained_offsets()},
                    turns(net.io.context())});
    auto [far_control, near_control] = net.connection();
    control = net.make(std::move(far_control), heard_control);
    const auto nobody = std::make_shared<recorder>();
    const auto ours_control = net.make(std::move(near_control), nobody);
    auto [far_tensor, near_tensor] = net.streams(with_board, with_board, board ? board->memory() : nullptr);
    tensor = net.start(std::move(far_tensor), heard_tensor);
    const auto ours_tensor = net.start(std::move(near_tensor), nobody);
    net.on_thread([&] {
      node = std::make_shared<remote_node>(run, net.io.context(), "n", 1, ours_control, most_slots);
      node->begin({[this] { world.told.add("takes part"); },
                   [this](const std::string& reason) { ended.set(reason); }});
      node->attach_tensor_link(ours_tensor, with_board);
      return 0;
    });
  }
  ~remote_stage() {
    net.on_thread([&] {
      node->close("the test is over");
      return 0;
    });
    heard_control->wait_until_closed();
    heard_tensor->wait_until_closed();
    net.io.stop();
    node.reset();
    run.reset();
    for (const auto& a : {caf::actor_cast<caf::actor>(coordinator), caf::actor_cast<caf::actor>(sampler),
                          caf::actor_cast<caf::actor>(monitor)})
      caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
    coordinator = coordinator_actor{};
    sampler = sampler_actor{};
    monitor = monitor_actor{};
    system.reset();
  }

  caf::actor join_worker(slot_number slot = 0) {
    tensor->send(to_frame(join_frame{slot, slot_role::worker, "worker-" + std::to_string(slot)}));
    return world.arrival.wait();
  }
  caf::actor join_estimator(slot_number slot = 0) {
    tensor->send(to_frame(join_frame{slot, slot_role::estimator, "estimator-" + std::to_string(slot)}));
    return world.arrival.wait();
  }
  [[nodiscard]] blob parameters(float value) const {
    return blob::copy_of(std::vector<float>(setup->net->parameters().size(), value));
  }
  void order(const caf::actor& worker, std::uint64_t lease, std::uint64_t version, std::size_t points = 4,
             const blob& added_gradient = {}) {
    drawn_batch b;
    b.added_gradient = added_gradient;
    for (std::uint32_t i = 0; i < points; ++i)
      b.ids.push_back(i);
    b.weights.assign(points, 1.0F);
    caf::anon_send(caf::actor_cast<worker_actor>(worker),
                   train_order{lease,
                               {version, parameters(static_cast<float>(version))},
                               {std::make_shared<const drawn_batch>(std::move(b))},
                               {}});
  }
  void score(const caf::actor& estimator, std::uint64_t version, std::size_t points = 3) {
    score_order o;
    for (std::uint32_t i = 0; i < points; ++i)
      o.ids.push_back(i);
    o.at = {version, parameters(1.0F)};
    caf::anon_send(caf::actor_cast<estimator_actor>(estimator), std::move(o));
  }
  /// A proper answer to `order`.
  [[nodiscard]] train_result answer(std::uint64_t lease) const {
    train_result r;
    r.lease = lease;
    r.gradient = parameters(0.5F);
    r.loss_sum = 2.0;
    r.correct = 3;
    r.losses.assign(4, 0.5F);
    return r;
  }
  void send(const train_result& r, slot_number slot = 0) {
    tensor->send(to_frame(slot, r, float_format::float32));
  }
};

} // namespace triage::test
