#include "played_coordinator.hpp"

using namespace triage;
using namespace triage::test;

TEST_CASE("node: joins with what it has to offer, trains what it is ordered to, and ends with the run") {
  played_coordinator c;
  node_options options;
  options.name = "my-node";
  options.workers = 2;
  running_node node(c, options);
  const auto b = c.let_in();
  CHECK(b.control.hello.name == "my-node");
  CHECK(b.control.hello.threads == 2);
  CHECK(b.control.hello.estimators == 0);
  CHECK(b.control.hello.instance == b.tensor.hello.instance);
  REQUIRE(b.tensor.heard->wait_for(frame_kind::join, 2));
  b.tensor.l->send(frame(frame_kind::joined, pair_head(0, 10)));
  order_batch(b, *c.setup, 0, 77, 3);
  const auto answer = b.tensor.heard->wait_for(frame_kind::train_result);
  REQUIRE(answer);
  const auto r = read_train_result(answer->head, c.setup->data.train.size);
  REQUIRE(r.ok());
  CHECK(r->slot == 0);
  CHECK(r->result.lease == 77);
  CHECK(r->result.finite);
  CHECK(r->result.loss_sum > 0.0);
  c.finish(b);
  const auto end = node.outcome();
  REQUIRE_MESSAGE(end.ok(), end.error().message);
  CHECK(*end == node_outcome::finished);
}

TEST_CASE("node: estimators join where the sampling has work for them, and answer their orders") {
  played_coordinator c(
      {R"(sampling={"type":"pps_epoch","score":"loss","estimator":{"type":"oldest_first","refresh_after_epochs":1}})",
       "runtime.scoring_precision=f32"});
  node_options options;
  options.estimators = 1;
  running_node node(c, options);
  const auto b = c.let_in();
  REQUIRE(b.tensor.heard->wait_for(frame_kind::join, 2));
  std::optional<slot_number> estimator;
  for (const auto& f : b.tensor.heard->frames())
    if (const auto m = read_join(f.head);
        f.kind == frame_kind::join && m.ok() && m->role == slot_role::estimator)
      estimator = m->slot;
  REQUIRE(estimator);
  order_batch(b, *c.setup, 99, 1, 5); // parameters, and an order for nobody
  score_order o;
  o.ids = {7, 8, 9};
  o.at.version = 5;
  b.tensor.l->send(to_frame(*estimator, o));
  const auto answer = b.tensor.heard->wait_for(frame_kind::scores);
  REQUIRE(answer);
  const auto scores = read_scores(answer->head);
  REQUIRE(scores.ok());
  CHECK(scores->slot == *estimator);
  CHECK(scores->scores.version == 5);
  CHECK(scores->scores.scores.size() == 3);
  c.finish(b);
  CHECK(node.outcome().ok());
}

TEST_CASE("node: comes back after every loss of the connection, as the same instance, and works again") {
  played_coordinator c;
  running_node node(c);
  std::optional<std::uint64_t> instance;
  for (int round = 0; round < 3; ++round) {
    const auto b = c.let_in();
    REQUIRE(b.tensor.heard->wait_for(frame_kind::join));
    if (instance)
      CHECK(b.control.hello.instance == *instance);
    instance = b.control.hello.instance;
    order_batch(b, *c.setup, 0, static_cast<std::uint64_t>(round), 1);
    REQUIRE(b.tensor.heard->wait_for(frame_kind::train_result));
    if (round == 2) {
      c.finish(b);
      break;
    }
    (round == 0 ? b.control : b.tensor).l->close("the coordinator was killed");
  }
  const auto end = node.outcome();
  REQUIRE_MESSAGE(end.ok(), end.error().message);
  CHECK(*end == node_outcome::finished);
}

TEST_CASE("node: an interrupted run is one to come back to; a finished one is not") {
  played_coordinator c;
  running_node node(c);
  const auto first = c.let_in();
  REQUIRE(first.tensor.heard->wait_for(frame_kind::join));
  c.finish(first, 0);
  first.control.heard->wait_until_closed();
  const auto second = c.let_in(); // it came back by itself
  REQUIRE(second.tensor.heard->wait_for(frame_kind::join));
  c.finish(second, 1);
  CHECK(*node.outcome() == node_outcome::finished);
}

TEST_CASE("node: a refusal for good ends it with the coordinator's words, another one it tries again") {
  played_coordinator c;
  running_node node(c);
  auto first = c.next();
  first.l->send(to_frame(refusal_message{"there are too many nodes", true}));
  auto second = c.next();
  CHECK(second.hello.instance == first.hello.instance);
  second.l->send(to_frame(refusal_message{"it was quarantined", false}));
  const auto end = node.outcome();
  REQUIRE_FALSE(end.ok());
  CHECK(end.error().kind == error_kind::configuration);
  CHECK(end.error().message == "the coordinator refused this node: it was quarantined");
}

TEST_CASE("node: other data, another packing and a description that it cannot read end it, and the "
          "coordinator hears why") {
  using change = void (*)(welcome_message&);
  struct variant {
    const char* name;
    change apply;
    error_kind kind;
    const char* words;
  };
  const variant variants[] = {
      {"data", [](welcome_message& m) { m.fingerprint = std::string(64, 'a'); }, error_kind::data, "--data"},
      {"layout", [](welcome_message& m) { m.layout = std::string(64, 'b'); }, error_kind::configuration,
       "ONEDNN_MAX_CPU_ISA=AVX2"},
      {"no JSON", [](welcome_message& m) { m.description = "{"; }, error_kind::configuration,
       "the coordinator's description, line 1"},
      {"no run", [](welcome_message& m) { m.description = "{}"; }, error_kind::configuration, "is missing"},
  };
  for (const auto& v : variants) {
    CAPTURE(v.name);
    played_coordinator c;
    running_node node(c);
    auto control = c.next();
    auto m = c.welcome();
    v.apply(m);
    control.l->send(to_frame(m));
    auto tensor = c.next();
    tensor.l->send(frame(frame_kind::accepted));
    const auto report = control.heard->wait_for(frame_kind::report);
    REQUIRE(report);
    const auto text = read_report(report->head);
    REQUIRE(text.ok());
    CHECK(text->warning);
    CHECK(text->source == "setup");
    CHECK(text->text.find(v.words) != std::string::npos);
    const auto end = node.outcome();
    REQUIRE_FALSE(end.ok());
    CHECK(end.error().kind == v.kind);
    CHECK(end.error().message == text->text);
  }
}

TEST_CASE(
    "node: asked to stop it finishes what it has, says that it leaves, and has left when it is dismissed") {
  played_coordinator c;
  running_node node(c);
  const auto b = c.let_in();
  REQUIRE(b.tensor.heard->wait_for(frame_kind::join));
  node.stop();
  REQUIRE(b.control.heard->wait_for(frame_kind::leaving));
  b.tensor.l->send(frame(frame_kind::dismissed, pair_head(0, 0)));
  const auto end = node.outcome();
  REQUIRE_MESSAGE(end.ok(), end.error().message);
  CHECK(*end == node_outcome::left);
}

TEST_CASE("node: asked to stop while nobody answers, it has left at once") {
  played_coordinator c;
  running_node node(c);
  (void)c.next(); // connected, and not welcomed
  node.stop();
  CHECK(*node.outcome() == node_outcome::left);
}

TEST_CASE("node: a worker that is dismissed leaves the others at work") {
  played_coordinator c;
  node_options options;
  options.workers = 2;
  running_node node(c, options);
  const auto b = c.let_in();
  REQUIRE(b.tensor.heard->wait_for(frame_kind::join, 2));
  b.tensor.l->send(frame(frame_kind::dismissed, pair_head(0, 0)));
  order_batch(b, *c.setup, 1, 5, 1);
  REQUIRE(b.tensor.heard->wait_for(frame_kind::train_result));
  CHECK(b.control.heard->closes() == 0);
  c.finish(b);
  CHECK(*node.outcome() == node_outcome::finished);
}

TEST_CASE("node: nobody at the address is an error of the kind to try later, after the time it was given") {
  node_options options;
  options.coordinator = {"127.0.0.1", 1};
  options.wait_seconds = 0.0;
  const auto end = run_node(options, {});
  REQUIRE_FALSE(end.ok());
  CHECK(end.error().kind == error_kind::retry);
  CHECK(end.error().message.starts_with("gave up after 0 s: "));
}

TEST_CASE(
    "node: other machines are not joined without certificates, unless asked to, and bad ones are named") {
  node_options options;
  options.coordinator = {"192.0.2.1", 7070};
  options.wait_seconds = 0.0;
  const auto open = run_node(options, {});
  REQUIRE_FALSE(open.ok());
  CHECK(open.error().kind == error_kind::configuration);
  CHECK(open.error().message.find("192.0.2.1:7070 is another machine") != std::string::npos);
  CHECK(open.error().message.find("--tls") != std::string::npos);
  options.tls_directory = "/no/such/keys";
  const auto keys = run_node(options, {});
  REQUIRE_FALSE(keys.ok());
  CHECK(keys.error().message.find("/no/such/keys") != std::string::npos);
}

TEST_CASE("node: a name that no log should hold, and more workers than a node may have, are refused here") {
  node_options options;
  options.coordinator = {"127.0.0.1", 1};
  options.wait_seconds = 0.0;
  options.name = "gpu box";
  auto end = run_node(options, {});
  REQUIRE_FALSE(end.ok());
  CHECK(end.error().kind == error_kind::configuration);
  CHECK(end.error().message.find("gpu box") != std::string::npos);
  options.name = "gpu-box";
  options.workers = 2048;
  end = run_node(options, {});
  REQUIRE_FALSE(end.ok());
  CHECK(end.error().message.find("2048") != std::string::npos);
}
