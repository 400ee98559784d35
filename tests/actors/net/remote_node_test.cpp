#include "remote_stage.hpp"

#include <limits>

// A node as the coordinator's process sees it, alone.

using namespace triage;
using namespace triage::test;

TEST_CASE("remote node: a worker that joins is announced under its node's name, and gets its number") {
  remote_stage s;
  const auto worker = s.join_worker(3);
  CHECK(s.world.told.wait_for("join") == "join n/worker-3");
  caf::anon_send(caf::actor_cast<worker_actor>(worker), welcome{41});
  const auto joined = s.heard_tensor->wait_for(frame_kind::joined);
  REQUIRE(joined);
  CHECK(*read_pair(joined->head) == std::pair<std::uint64_t, std::uint64_t>{3, 41});
}

TEST_CASE("remote node: a result reaches the coordinator with its number and the version of its order") {
  remote_stage s;
  const auto worker = s.join_worker();
  caf::anon_send(caf::actor_cast<worker_actor>(worker), welcome{7});
  s.order(worker, 20, 9);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order));
  auto r = s.answer(20);
  r.member = 99;      // the node does not say who it is
  r.base_version = 1; // nor what it was computed with
  s.send(r);
  const auto got = s.world.result.wait();
  CHECK(got.member == 7);
  CHECK(got.lease == 20);
  CHECK(got.base_version == 9);
  CHECK(got.finite);
  CHECK(got.correct == 3);
  CHECK(got.losses == std::vector<float>(4, 0.5F));
  CHECK(std::equal(got.gradient.view().begin(), got.gradient.view().end(), r.gradient.view().begin()));
}

TEST_CASE("remote node: a gradient that is not finite is marked, whatever the node says of it") {
  remote_stage s;
  const auto worker = s.join_worker();
  s.order(worker, 1, 0);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order));
  auto r = s.answer(1);
  std::vector<float> values(r.gradient.size(), 0.1F);
  values.back() = std::numeric_limits<float>::infinity();
  r.gradient = blob::copy_of(values);
  r.finite = true;
  s.send(r);
  CHECK_FALSE(s.world.result.wait().finite);
}

TEST_CASE("remote node: a compressed result arrives decoded; bytes that nobody made count as not finite") {
  const std::string sign = R"(runtime.exchange={"policy":"local_sgd","compression":{"up":"sign"}})";
  for (const bool proper : {true, false}) {
    remote_stage s(2, {sign});
    const auto worker = s.join_worker();
    s.order(worker, 1, 0);
    REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order));
    auto r = s.answer(1);
    byte_block bytes;
    s.setup->exchange->compression_up()->encode(r.gradient.view(), 0, bytes);
    if (!proper)
      bytes.pop_back();
    r.encoded = std::make_shared<const byte_block>(bytes);
    s.send(r);
    const auto got = s.world.result.wait();
    CHECK(got.finite == proper);
    CHECK_FALSE(got.encoded);
    if (proper) // all are equal, so their signs and their mean size are all there is to know
      CHECK(std::equal(got.gradient.view().begin(), got.gradient.view().end(), r.gradient.view().begin()));
  }
}

TEST_CASE("remote node: a result that is compressed where none should be, or the other way, is refused") {
  for (const bool compressed : {true, false}) {
    remote_stage s(2, compressed
                          ? std::vector<std::string>{}
                          : std::vector<std::string>{
                                R"(runtime.exchange={"policy":"local_sgd","compression":{"up":"int8"}})"});
    const auto worker = s.join_worker();
    s.order(worker, 1, 0);
    REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order));
    auto r = s.answer(1);
    if (compressed)
      r.encoded = std::make_shared<const byte_block>(byte_block(100));
    s.send(r);
    CHECK(s.ended.wait().find("does not fit its order") != std::string::npos);
  }
}

TEST_CASE("remote node: with two orders out answers come in their order, and in no other") {
  const std::vector<std::string> overlap = {R"(runtime.exchange={"policy":"overlap_local_sgd"})"};
  for (const bool in_order : {true, false}) {
    remote_stage s(2, overlap);
    const auto worker = s.join_worker();
    s.order(worker, 1, 0);
    s.order(worker, 2, 1, 6);
    REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 2));
    if (!in_order) {
      s.send(s.answer(2));
      CHECK(s.ended.wait().find("does not fit its order") != std::string::npos);
      continue;
    }
    s.send(s.answer(1));
    CHECK(s.world.result.wait().base_version == 0);
    auto second = s.answer(2);
    second.losses.assign(6, 0.5F);
    second.correct = 6;
    s.send(second);
    const auto got = s.world.result.wait();
    CHECK(got.lease == 2);
    CHECK(got.base_version == 1);
  }
}

TEST_CASE("remote node: results that do not fit their order cost the node its connection, and its worker "
          "says why") {
  using change = void (*)(train_result&);
  const std::vector<std::pair<const char*, change>> changes = {
      {"another lease", [](train_result& r) { r.lease += 1; }},
      {"too many losses", [](train_result& r) { r.losses.assign(5, 0.0F); }},
      {"too few scores", [](train_result& r) { r.scores.assign(1, 0.0F); }},
      {"more right than points", [](train_result& r) { r.correct = 5; }},
      {"no gradient", [](train_result& r) { r.gradient = blob(); }},
      {"a short gradient", [](train_result& r) { r.gradient = blob::copy_of(std::vector<float>(3)); }},
      {"a foreign suspect", [](train_result& r) { r.suspects = {512}; }},
      {"a negative time", [](train_result& r) { r.busy_seconds = -1.0; }},
  };
  for (const auto& [name, apply] : changes) {
    CAPTURE(name);
    remote_stage s;
    const auto worker = s.join_worker();
    s.order(worker, 30, 2);
    REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order));
    auto r = s.answer(30);
    apply(r);
    s.send(r);
    const auto reason = s.ended.wait();
    CHECK_MESSAGE(reason.starts_with("it sent "), reason);
    CHECK(s.world.told.wait_for("failure") == "failure n/worker-0: " + reason);
    CHECK(s.world.told.count("result") == 0);
  }
}

TEST_CASE("remote node: an answer that nobody has asked for, and one for each order only") {
  for (const bool twice : {false, true}) {
    remote_stage s;
    const auto worker = s.join_worker();
    if (twice) {
      s.order(worker, 1, 0);
      REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order));
      s.send(s.answer(1));
      (void)s.world.result.wait();
    }
    s.send(s.answer(1));
    CHECK(s.ended.wait() == "it sent a result that does not fit its order");
  }
}

TEST_CASE("remote node: numbers that are taken, too many of them, and frames on the wrong link") {
  {
    remote_stage s;
    s.join_worker(0);
    s.tensor->send(to_frame(join_frame{0, slot_role::worker, "again"}));
    CHECK(s.ended.wait() == "it joined twice under one number, or too often");
  }
  {
    remote_stage s(1);
    s.join_worker(0);
    s.tensor->send(to_frame(join_frame{1, slot_role::estimator, "too many"}));
    CHECK(s.ended.wait() == "it joined twice under one number, or too often");
  }
  {
    remote_stage s;
    s.control->send(to_frame(join_frame{0, slot_role::worker, "w"}));
    CHECK(s.ended.wait() == "it sent a frame that does not belong on its control link");
  }
  {
    remote_stage s;
    s.tensor->send(to_report_frame(true, "a", "b"));
    CHECK(s.ended.wait() == "it sent a frame that does not belong on its tensor link");
  }
  {
    remote_stage s;
    s.control->send(floats_frame(10));
    CHECK(s.ended.wait() == "it sent floats on its control link");
  }
  {
    remote_stage s;
    s.join_estimator(0);
    s.send(s.answer(1)); // of a worker
    CHECK(s.ended.wait() == "it sent a result of the wrong kind");
  }
}

TEST_CASE("remote node: whichever link breaks, everybody of the node is given up with the reason, once") {
  for (const bool control : {true, false}) {
    remote_stage s;
    s.join_worker(0);
    s.join_estimator(1);
    (control ? s.control : s.tensor)->close("the node's process died");
    CHECK(s.ended.wait() == "it closed the connection");
    CHECK(s.world.told.wait_for("failure n/worker-0") == "failure n/worker-0: it closed the connection");
    CHECK(s.world.told.wait_for("failure n/estimator-1") ==
          "failure n/estimator-1: it closed the connection");
    s.heard_control->wait_until_closed();
    s.heard_tensor->wait_until_closed();
    CHECK(s.world.told.count("failure") == 2);
  }
}

TEST_CASE(
    "remote node: one that gives up is told with its reason; what it still sends is ignored, others go on") {
  remote_stage s;
  const auto first = s.join_worker(0);
  const auto second = s.join_worker(1);
  s.order(first, 1, 0);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 1));
  s.tensor->send(to_frame(failure_frame{0, "out of memory\x1b[2J"}));
  CHECK(s.world.told.wait_for("failure") == "failure n/worker-0: out of memory [2J");
  s.send(s.answer(1), 0); // its slot is gone
  s.order(second, 2, 0);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 2));
  s.send(s.answer(2), 1);
  CHECK(s.world.result.wait().lease == 2);
  CHECK(s.world.told.count("result") == 1);
}

TEST_CASE("remote node: who is told to leave goes at once when idle, and after its result when busy") {
  remote_stage s;
  const auto busy = s.join_worker(0);
  s.join_worker(1);
  s.order(busy, 5, 0);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order));
  s.control->send(frame(frame_kind::leaving));
  CHECK(s.world.told.wait_for("failure n/worker-1") == "failure n/worker-1: its node was told to leave");
  CHECK(s.world.told.count("failure n/worker-0") == 0);
  s.send(s.answer(5), 0);
  CHECK(s.world.told.wait_for("result") == "result 5");
  CHECK(s.world.told.wait_for("failure n/worker-0") == "failure n/worker-0: its node was told to leave");
  // Both are dismissed over there.
  CHECK(s.heard_tensor->wait_for(frame_kind::dismissed, 2));
}

TEST_CASE("remote node: when the coordinator ends, its workers are dismissed over there") {
  remote_stage s;
  s.join_worker(1);
  caf::anon_send_exit(s.coordinator, caf::exit_reason::user_shutdown);
  const auto dismissed = s.heard_tensor->wait_for(frame_kind::dismissed);
  REQUIRE(dismissed);
  CHECK(read_pair(dismissed->head)->first == 1);
}

TEST_CASE("remote node: an estimator is a newcomer to the sampler; its scores must fit the order") {
  remote_stage s;
  const auto estimator = s.join_estimator();
  CHECK(s.world.told.wait_for("estimator") == "estimator new n/estimator-0");
  s.score(estimator, 4);
  const auto frame_of_order = s.heard_tensor->wait_for(frame_kind::score_order);
  REQUIRE(frame_of_order);
  const auto order = read_score_order(frame_of_order->head, 512);
  REQUIRE(order.ok());
  CHECK(order->version == 4);
  CHECK(order->ids == std::vector<std::uint32_t>{0, 1, 2});
  s.tensor->send(to_frame(0, measured_scores{{1.0F, 2.0F, 3.0F}, {}, 4, 0.25}, float_format::float32));
  const auto got = s.world.scores.wait();
  CHECK(got.scores == std::vector<float>{1.0F, 2.0F, 3.0F});
  CHECK(got.busy_seconds == 0.25);
  CHECK(got.gradient.empty());
  s.score(estimator, 5);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::score_order, 2));
  s.tensor->send(
      to_frame(0, measured_scores{{1.0F, 2.0F, 3.0F}, {}, 4, 0.25}, float_format::float32)); // old version
  CHECK(s.ended.wait() == "it sent scores that do not fit its order");
}

TEST_CASE("remote node: a mean gradient that is not finite is dropped, the scores beside it are taken") {
  remote_stage s;
  const auto estimator = s.join_estimator();
  for (const bool finite : {true, false}) {
    s.score(estimator, finite ? 1 : 2);
    REQUIRE(s.heard_tensor->wait_for(frame_kind::score_order, finite ? 1 : 2));
    std::vector<float> gradient(s.setup->net->parameters().size(), 0.25F);
    gradient[3] = finite ? 0.5F : std::nanf("");
    s.tensor->send(to_frame(0, measured_scores{{1.0F, 2.0F, 3.0F}, gradient, finite ? 1U : 2U, 0.1},
                            float_format::float32));
    const auto got = s.world.scores.wait();
    CHECK(got.scores.size() == 3);
    CHECK(got.gradient.size() == (finite ? gradient.size() : 0));
  }
}

TEST_CASE("remote node: reports and lanes reach the monitor under the node's name, and are harmless") {
  remote_stage s;
  s.control->send(frame(frame_kind::ready));
  s.control->send(to_report_frame(true, "worker-0", "low on \x1b[31mmemory"));
  s.control->send(to_report_frame(false, "setup", "fine"));
  s.control->send(to_frame(trace_lane{"worker-0", {{"gradient", 1.0, 2.0, 3}}, 0}, 0.0));
  CHECK(s.world.told.wait_for("warning") == "warning n/worker-0: low on  [31mmemory");
  CHECK(s.world.told.wait_for("remark") == "remark n/setup: fine");
  CHECK(s.world.told.wait_for("lane") == "lane n/worker-0");
}

TEST_CASE(
    "remote node: when the run is over, what a node says last is heard, whichever link it closes first") {
  remote_stage s;
  s.join_worker(0);
  s.net.on_thread([&] {
    s.node->finish(true);
    return 0;
  });
  REQUIRE(s.heard_control->wait_for(frame_kind::finished, 1));
  s.tensor->close("the node ends");
  s.heard_tensor->wait_until_closed();
  s.net.on_thread([] { return 0; }); // this side has seen it, or will before what follows
  s.control->send(to_frame(trace_lane{"worker-0", {{"gradient", 1.0, 2.0, 3, 0}}, 0}, 0.0));
  CHECK(s.world.told.wait_for("lane") == "lane n/worker-0");
  s.control->close("the node ends");
  CHECK(s.ended.wait() == "it closed the connection");
}

TEST_CASE("remote node: it takes part when it says so or has somebody who does, which is told once") {
  for (const bool joins_first : {true, false}) {
    remote_stage s;
    CHECK(s.world.told.count("takes part") == 0);
    if (joins_first)
      (void)s.join_worker();
    s.control->send(frame(frame_kind::ready));
    s.control->send(frame(frame_kind::ready));
    if (!joins_first)
      (void)s.join_worker();
    s.control->send(to_report_frame(false, "worker-0", "behind all of that"));
    (void)s.world.told.wait_for("remark");
    CHECK(s.world.told.count("takes part") == 1);
  }
}

TEST_CASE("remote node: one that objects before it takes part ends with its own words, and is told of only "
          "by them") {
  remote_stage s;
  s.control->send(to_report_frame(true, "setup", "the data here is another"));
  s.control->close_when_sent("this node has ended", 1.0);
  CHECK(s.ended.wait() == "the data here is another");
  CHECK(s.world.told.count("takes part") == 0);
  CHECK(s.world.told.count("warning") == 0);
}
