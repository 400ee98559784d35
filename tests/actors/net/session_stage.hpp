#pragma once

#include "node_support.hpp"

#include "actors/net/coordinator_session.hpp"
#include "actors/net/listener.hpp"
#include "actors/parameter_arrival.hpp"

// A coordinator as a node's process sees it, alone: the test listens, welcomes and orders by hand.

namespace triage::test {

struct session_world {
  told_lines told;
  late_value<train_order> order; ///< the last one
};

inline worker_actor::behavior_type worker_of(worker_actor::pointer, session_world* w) {
  return {
      [w](const welcome& m) { w->told.add("welcome " + std::to_string(m.member)); },
      [w](const train_order& m) {
        w->order.set(m);
        if (!m.base.arriving)
          w->told.add("order " + std::to_string(m.lease) + " at " + std::to_string(m.base.version) +
                      " with " + std::to_string(m.base.parameters.view()[0]));
      },
  };
}

inline estimator_actor::behavior_type estimator_of(estimator_actor::pointer, session_world* w) {
  return {[w](const score_order& m) { w->told.add("score " + std::to_string(m.ids.size())); }};
}

struct session_stage {
  session_world world;
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::shared_ptr<const run_setup> setup = small_run();
  network_thread net;
  std::shared_ptr<listener> door;
  std::shared_ptr<recorder> heard_control = std::make_shared<recorder>();
  std::shared_ptr<recorder> heard_tensor = std::make_shared<recorder>();
  late_value<std::shared_ptr<triage::link>> control_opened;
  late_value<std::shared_ptr<triage::link>> tensor_opened;
  late_value<hello_message> tensor_hello;
  std::shared_ptr<triage::link> control;
  std::shared_ptr<triage::link> tensor;
  std::shared_ptr<coordinator_session> session;
  late_value<session_end> ended;
  late_value<bool> closed;
  std::vector<caf::actor> actors;

  session_stage() {
    config.set("scheduler.max-threads", std::size_t{2});
    system = std::make_unique<caf::actor_system>(config);
    door = net.on_thread([&] {
      auto l = listener::bind(net.io.context(), {"127.0.0.1", 0}, {}).take();
      l->start(
          {[this](const std::shared_ptr<triage::link>& from, const hello_message& hello, const std::string&) {
             const bool first = hello.role == peer_role::control;
             from->hand_over(first ? heard_control : heard_tensor, {.head = 1U << 20U});
             if (!first)
               tensor_hello.set(hello);
             (first ? control_opened : tensor_opened).set(from);
           },
           [](const std::string&, const std::string&) {}});
      return l;
    });
    session_options options;
    options.coordinator = {"127.0.0.1", door->address().port};
    options.hello.version = "1";
    options.hello.name = "n";
    options.hello.threads = 2;
    session = std::make_shared<coordinator_session>(net.io.context(), options);
  }
  ~session_stage() {
    session->close({session_end::kind::left, "the test is over", false});
    net.on_thread([&] {
      door->stop();
      return 0;
    });
    for (const auto& l : {control, tensor})
      if (l)
        l->close("the test is over");
    if (control)
      heard_control->wait_until_closed();
    if (tensor)
      heard_tensor->wait_until_closed();
    if (control) // it was opened: whatever ended it, the last word is that its links are closed
      CHECK(closed.wait());
    net.io.stop();
    session.reset();
    for (const auto& a : actors)
      caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
    actors.clear();
    system.reset();
  }
  void open() {
    session->open({[this](const welcome_message& m) { world.told.add("welcomed as " + m.name); },
                   [this](const session_end& e) {
                     world.told.add("ended: " + e.reason);
                     ended.set(e);
                   },
                   [this] { closed.set(true); }});
    control = control_opened.wait();
  }
  /// Until worker 0 has joined.
  void open_with_worker() {
    open();
    welcome_it();
    add_worker(0);
    REQUIRE(heard_tensor->wait_for(frame_kind::join));
  }
  void welcome_it() {
    welcome_message m;
    m.name = "node-7";
    m.token = "a token";
    m.description = "{}";
    m.heartbeat_seconds = 0.5;
    control->send(to_frame(m));
    tensor = tensor_opened.wait();
    tensor->send(frame(frame_kind::accepted));
    CHECK(world.told.wait_for("welcomed") == "welcomed as node-7");
    session->begin(setup);
  }
  worker_actor add_worker(slot_number slot) {
    const auto worker = system->spawn(worker_of, &world);
    actors.push_back(caf::actor_cast<caf::actor>(worker));
    session->join(slot, "worker-" + std::to_string(slot), worker);
    return worker;
  }
  void send_parameters(std::uint64_t version, float value) {
    tensor->send(frame(frame_kind::parameters, pair_head(version, 0),
                       blob::copy_of(std::vector<float>(setup->net->parameters().size(), value)),
                       float_format::float32));
  }
  void send_order(slot_number slot, std::uint64_t lease, std::uint64_t version) {
    drawn_batch b;
    b.ids = {1, 2};
    b.weights = {1.0F, 1.0F};
    tensor->send(to_frame(
        slot, train_order{lease, {version, {}}, {std::make_shared<const drawn_batch>(std::move(b))}, {}}));
  }
};

} // namespace triage::test
