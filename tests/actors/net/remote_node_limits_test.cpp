#include "remote_stage.hpp"

// What a node may not do, however often or much of it.

using namespace triage;
using namespace triage::test;

TEST_CASE("remote node: a trace that nobody asked for, and a flood of reports, end it") {
  remote_stage untraced(2, {}, false);
  untraced.control->send(to_frame(trace_lane{"worker-0", {{"gradient", 1.0, 2.0, 3}}, 0}, 0.0));
  CHECK(untraced.ended.wait() == "it sent a trace that nobody asked for");
  remote_stage s;
  for (int i = 0; i < 80; ++i)
    s.control->send(to_report_frame(false, "setup", std::string(60'000, 'x')));
  CHECK(s.ended.wait() == "it has too much to say");
}

TEST_CASE("remote node: who joins after the node has said that it leaves is told to leave, too") {
  remote_stage s;
  s.control->send(frame(frame_kind::leaving));
  s.control->send(frame(frame_kind::ready));
  CHECK(s.world.told.wait_for("takes part") == "takes part"); // the control link has been read so far
  (void)s.join_worker(0);
  CHECK(s.heard_tensor->wait_for(frame_kind::dismissed));
  CHECK(s.world.told.wait_for("failure") == "failure n/worker-0: its node was told to leave");
}

TEST_CASE("remote node: a node joins as many workers as it announced, and no more when some have failed") {
  remote_stage s(2);
  for (slot_number slot = 0; slot < 2; ++slot) {
    (void)s.join_worker(slot);
    s.tensor->send(to_frame(failure_frame{slot, "out of memory"}));
  }
  s.tensor->send(to_frame(join_frame{2, slot_role::worker, "worker-2"}));
  CHECK(s.ended.wait() == "it joined twice under one number, or too often");
}

TEST_CASE("remote node: compressed gradients of a large model pass the limit on heads") {
  remote_stage s(2,
                 {R"(model=[{"type":"dense","units":900},{"type":"dense","units":4}])",
                  R"(runtime.exchange={"policy":"local_sgd","local_steps":2,"compression":{"up":"top_k"}})"});
  const auto limits = limits_of(*s.setup);
  CHECK(limits.head >= largest_plain_head + 8 * s.setup->net->parameters().size());
  s.tensor->send(frame(frame_kind::train_result, std::vector<std::uint8_t>(limits.head, 0)));
  CHECK(s.ended.wait().find("are allowed") == std::string::npos); // it makes no sense, but it was read
  remote_stage other;
  other.tensor->send(
      frame(frame_kind::train_result, std::vector<std::uint8_t>(limits_of(*other.setup).head + 1, 0)));
  CHECK(other.ended.wait().find("are allowed") != std::string::npos);
}
