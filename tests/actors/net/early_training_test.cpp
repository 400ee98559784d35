#include "played_coordinator.hpp"

// A node's workers that begin before all of their parameters are there.

using namespace triage;
using namespace triage::test;

namespace {

const std::vector<std::string> deep = {
    R"(data={"format":"synthetic","kind":"blobs","features":300,"classes":4})",
    R"(model=[{"type":"dense","units":300},{"type":"batch_norm"},{"type":"dense","units":300},
              {"type":"dense","units":4}])"};

/// The gradient of an answer, its parts put together.
std::vector<float> gradient_of(const played_coordinator::both& b, std::size_t floats) {
  std::vector<float> all(floats, std::nanf(""));
  for (const auto& f : b.tensor.heard->frames()) {
    std::size_t begin = floats - f.floats.size();
    if (f.kind == frame_kind::gradient_part)
      begin = read_gradient_part(f.head)->begin;
    else if (f.kind != frame_kind::train_result)
      continue;
    std::copy(f.floats.begin(), f.floats.end(), all.begin() + static_cast<std::ptrdiff_t>(begin));
  }
  return all;
}

blob parameters_of(const run_setup& setup) {
  mutable_blob block(setup.net->parameters().size());
  setup.net->parameters().initialise(block.values(), 1);
  return std::move(block).freeze();
}

frame part_of(const blob& parameters, std::size_t begin, std::size_t end) {
  return frame(frame_kind::parameters, pair_head(1, begin), parameters, begin, end - begin,
               float_format::float32);
}

} // namespace

TEST_CASE("node: an order that comes before its parameters is trained as they come, with the same gradient") {
  std::vector<std::vector<float>> gradients;
  for (const bool whole : {true, false}) {
    played_coordinator c(deep);
    running_node node(c);
    const auto b = c.let_in();
    REQUIRE(b.tensor.heard->wait_for(frame_kind::join));
    const auto parameters = parameters_of(*c.setup);
    const std::size_t all = parameters.size();
    if (whole) {
      b.tensor.l->send(part_of(parameters, 0, all));
      send_order(b, 0, 7, 1);
    } else {
      b.tensor.l->send(frame(frame_kind::parameters, pair_head(1, 0)));
      send_order(b, 0, 7, 1);
      for (std::size_t begin = 0; begin < all; begin += 30000)
        b.tensor.l->send(part_of(parameters, begin, std::min(begin + 30000, all)));
    }
    const auto answer = b.tensor.heard->wait_for(frame_kind::train_result);
    REQUIRE(answer);
    CHECK(read_train_result(answer->head, c.setup->data.train.size)->result.finite);
    gradients.push_back(gradient_of(b, all));
    c.finish(b);
    CHECK(node.outcome().ok());
  }
  CHECK(gradients[0] == gradients[1]);
}

TEST_CASE(
    "node: a link that is lost in the middle of parameters ends the step, and the node comes back to work") {
  played_coordinator c(deep);
  running_node node(c);
  const auto first = c.let_in();
  REQUIRE(first.tensor.heard->wait_for(frame_kind::join));
  const auto parameters = parameters_of(*c.setup);
  first.tensor.l->send(part_of(parameters, 0, 90000));
  send_order(first, 0, 7, 1);
  first.tensor.l->close_when_sent("the coordinator was killed", 5.0);
  const auto second = c.let_in();
  REQUIRE(second.tensor.heard->wait_for(frame_kind::join));
  order_batch(second, *c.setup, 0, 8, 1);
  const auto answer = second.tensor.heard->wait_for(frame_kind::train_result);
  REQUIRE(answer);
  CHECK(read_train_result(answer->head, c.setup->data.train.size)->result.lease == 8);
  c.finish(second);
  CHECK(*node.outcome() == node_outcome::finished);
}
