#include "session_stage.hpp"

using namespace triage;
using namespace triage::test;

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

TEST_CASE("session: a worker's batch has the direction and the added gradient that came before its order") {
  session_stage s;
  s.open_with_worker();
  const std::size_t size = s.setup->net->parameters().size();
  const auto send = [&](frame_kind kind, float value) {
    s.tensor->send(
        frame(kind, pair_head(0, 0), blob::copy_of(std::vector<float>(size, value)), float_format::float32));
  };
  s.send_parameters(3, 0.5F);
  send(frame_kind::direction, 2.0F);
  send(frame_kind::added_gradient, 4.0F);
  drawn_batch b;
  b.ids = {1, 2};
  b.weights = {1.0F, 1.0F};
  b.direction = b.added_gradient = blob::copy_of(std::vector<float>(size));
  s.tensor->send(
      to_frame(0, train_order{8, {3, {}}, {std::make_shared<const drawn_batch>(std::move(b))}, {}}));
  const auto& got = *s.world.order.wait().batches.at(0);
  REQUIRE((got.direction.size() == size && got.added_gradient.size() == size));
  CHECK((got.direction.view()[0] == 2.0F && got.added_gradient.view()[size - 1] == 4.0F));
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
      {"it sent an order without its parameters",
       [](session_stage& s) {
         s.add_worker(0);
         s.send_parameters(9, 1.0F);
         drawn_batch b;
         b.ids = {1};
         b.weights = {1.0F};
         b.added_gradient = blob::copy_of(std::vector<float>(1));
         s.tensor->send(
             to_frame(0, train_order{1, {9, {}}, {std::make_shared<const drawn_batch>(std::move(b))}, {}}));
       }},
      {"it sent 10 floats that nobody expected",
       [](session_stage& s) {
         s.tensor->send(frame(frame_kind::direction, pair_head(0, 0), blob::copy_of(std::vector<float>(10)),
                              float_format::float32));
       }},
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
  s.open_with_worker();
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

TEST_CASE(
    "session: a worker that fails is reported and forgotten; when all have, the node may leave at once") {
  session_stage s;
  s.open();
  s.welcome_it();
  s.add_worker(0);
  s.add_worker(1);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::join, 2));
  s.session->give_up(0, "out of memory");
  const auto told = s.heard_tensor->wait_for(frame_kind::failure);
  REQUIRE(told);
  CHECK(read_failure(told->head)->reason == "out of memory");
  CHECK(s.world.told.count("ended") == 0); // the other one works on
  s.session->give_up(1, "out of memory as well");
  s.session->leave();
  CHECK(s.ended.wait().what == session_end::kind::left);
}

TEST_CASE("session: where nobody is left who could work it ends, and may try again") {
  session_stage s;
  s.open();
  s.welcome_it();
  s.session->give_up(std::nullopt, "no such processor");
  const auto end = s.ended.wait();
  CHECK(end.what == session_end::kind::lost);
  CHECK(end.again);
  CHECK(end.reason.find("no such processor") != std::string::npos);
}
