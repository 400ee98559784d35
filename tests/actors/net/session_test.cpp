#include "node_support.hpp"

#include "actors/net/coordinator_session.hpp"
#include "actors/net/listener.hpp"

// A coordinator as a node's process sees it, alone: the test listens, welcomes and orders by hand.

using namespace triage;
using namespace triage::test;

namespace {

struct session_world {
  told_lines told;
};

worker_actor::behavior_type worker_of(worker_actor::pointer, session_world* w) {
  return {
      [w](const welcome& m) { w->told.add("welcome " + std::to_string(m.member)); },
      [w](const train_order& m) {
        w->told.add("order " + std::to_string(m.lease) + " at " + std::to_string(m.base.version) + " with " +
                    std::to_string(m.base.parameters.view()[0]));
      },
  };
}

estimator_actor::behavior_type estimator_of(estimator_actor::pointer, session_world* w) {
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
             from->hand_over(first ? heard_control : heard_tensor, 1U << 20U);
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
    tensor->send(
        to_frame(slot, train_order{lease, {version, {}}, std::make_shared<const drawn_batch>(std::move(b))}));
  }
};

} // namespace

TEST_CASE("session: introduces itself on both links, the second with the token of the first") {
  session_stage s;
  s.open();
  s.welcome_it();
  const auto hello = s.tensor_hello.wait();
  CHECK(hello.role == peer_role::tensor);
  CHECK(hello.token == "a token");
  CHECK(hello.name == "n");
}

TEST_CASE("session: workers join, are numbered, and get orders with the parameters that went before") {
  session_stage s;
  s.open();
  s.welcome_it();
  s.add_worker(4);
  const auto join = s.heard_tensor->wait_for(frame_kind::join);
  REQUIRE(join);
  const auto m = read_join(join->head);
  REQUIRE(m.ok());
  CHECK(m->slot == 4);
  CHECK(m->role == slot_role::worker);
  CHECK(m->name == "worker-4");
  s.tensor->send(frame(frame_kind::joined, pair_head(4, 12)));
  CHECK(s.world.told.wait_for("welcome 1") == "welcome 12");
  s.send_parameters(3, 0.5F);
  s.send_order(4, 100, 3);
  CHECK(s.world.told.wait_for("order 100") == "order 100 at 3 with 0.500000");
  s.send_parameters(4, 0.75F);
  s.send_order(4, 101, 4);
  CHECK(s.world.told.wait_for("order 101") == "order 101 at 4 with 0.750000");
}

TEST_CASE("session: an estimator gets its points, and an order for who is not there is passed over") {
  session_stage s;
  s.open();
  s.welcome_it();
  const auto estimator = s.system->spawn(estimator_of, &s.world);
  s.actors.push_back(caf::actor_cast<caf::actor>(estimator));
  s.session->join(0, "estimator-0", estimator);
  s.send_parameters(1, 1.0F);
  s.send_order(0, 5, 1);  // slot 0 is no worker
  s.send_order(77, 6, 1); // and slot 77 nobody
  score_order o;
  o.ids = {4, 5, 6};
  o.at.version = 1;
  s.tensor->send(to_frame(0, o));
  CHECK(s.world.told.wait_for("score") == "score 3");
  CHECK(s.world.told.count("order") == 0);
  CHECK(s.world.told.count("ended") == 0);
}

TEST_CASE("session: what makes no sense from a coordinator ends the session with the reason, and it may try "
          "again") {
  using act = void (*)(session_stage&);
  const std::vector<std::pair<std::string, act>> acts = {
      {"it sent an order without its parameters",
       [](session_stage& s) {
         s.add_worker(0);
         s.send_order(0, 1, 9);
       }},
      {"it sent an order without its parameters",
       [](session_stage& s) {
         s.add_worker(0);
         s.send_parameters(8, 1.0F);
         s.send_order(0, 1, 9);
       }},
      {"it sent 10 floats that nobody expected", [](session_stage& s) { s.tensor->send(floats_frame(10)); }},
      {"it sent floats on the control link", [](session_stage& s) { s.control->send(floats_frame(10)); }},
      {"it sent a frame that does not belong on the control link",
       [](session_stage& s) { s.control->send(frame(frame_kind::leaving)); }},
      {"it sent a frame that does not belong on the tensor link",
       [](session_stage& s) { s.tensor->send(frame(frame_kind::leaving)); }},
      {"it sent an order that makes no sense",
       [](session_stage& s) {
         s.tensor->send(frame(frame_kind::train_order, {1, 2, 3}));
       }},
      {"it sent a number that makes no sense",
       [](session_stage& s) { s.tensor->send(frame(frame_kind::joined, {1})); }},
  };
  for (const auto& [reason, apply] : acts) {
    CAPTURE(reason);
    session_stage s;
    s.open();
    s.welcome_it();
    if (reason.find("order without") != std::string::npos)
      s.world.told.add("joining");
    apply(s);
    const auto end = s.ended.wait();
    CHECK(end.what == session_end::kind::lost);
    CHECK(end.reason == reason);
    CHECK(end.again);
  }
}

TEST_CASE("session: a refusal ends it with the coordinator's words; whether to try again is the "
          "coordinator's to say") {
  for (const bool again : {true, false})
    for (const bool on_tensor : {true, false}) {
      session_stage s;
      s.open();
      if (on_tensor)
        s.welcome_it();
      (on_tensor ? s.tensor : s.control)->send(to_frame(refusal_message{"there is no room", again}));
      const auto end = s.ended.wait();
      CHECK(end.what == session_end::kind::refused);
      CHECK(end.reason == "there is no room");
      CHECK(end.again == again);
    }
}

TEST_CASE(
    "session: a run that is over, or interrupted, is told apart from a lost connection, and told once") {
  for (const std::uint64_t final : {1U, 0U}) {
    session_stage s;
    s.open();
    s.welcome_it();
    s.control->send(frame(frame_kind::finished, pair_head(final, 0)));
    const auto end = s.ended.wait();
    CHECK(end.what == (final == 1 ? session_end::kind::finished : session_end::kind::suspended));
    CHECK(end.again == (final == 0));
    s.control->close("gone");
    s.heard_control->wait_until_closed();
    CHECK(s.world.told.count("ended") == 1);
  }
  session_stage lost;
  lost.open();
  lost.welcome_it();
  lost.tensor->close("gone");
  CHECK(lost.ended.wait().what == session_end::kind::lost);
}

TEST_CASE("session: asked to leave it says so, waits for its workers to be dismissed, and ends as left") {
  session_stage s;
  s.open();
  s.welcome_it();
  s.add_worker(0);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::join));
  s.session->leave();
  REQUIRE(s.heard_control->wait_for(frame_kind::leaving));
  CHECK(s.world.told.count("ended") == 0);
  s.tensor->send(frame(frame_kind::dismissed, pair_head(0, 0)));
  const auto end = s.ended.wait();
  CHECK(end.what == session_end::kind::left);
  CHECK_FALSE(end.again);

  session_stage idle; // nobody has joined: it may go at once
  idle.open();
  idle.welcome_it();
  idle.session->leave();
  CHECK(idle.ended.wait().what == session_end::kind::left);
}

TEST_CASE("session: nobody at the address is a reason to try again") {
  session_stage s;
  session_options options;
  options.coordinator = {"127.0.0.1", 1}; // a port that nobody has
  auto other = std::make_shared<coordinator_session>(s.net.io.context(), options);
  late_value<session_end> end;
  late_value<bool> closed;
  other->open(
      {[](const welcome_message&) {}, [&](const session_end& e) { end.set(e); }, [&] { closed.set(true); }});
  const auto e = end.wait();
  CHECK(closed.wait());
  CHECK(e.what == session_end::kind::lost);
  CHECK(e.again);
  CHECK(e.reason.find("127.0.0.1:1") != std::string::npos);
}
