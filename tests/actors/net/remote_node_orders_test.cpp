#include "remote_stage.hpp"

// What a node is sent before an order, and how often.

using namespace triage;
using namespace triage::test;

TEST_CASE("remote node: parameters travel once for all orders of their version, announced before the first") {
  remote_stage s;
  const auto first = s.join_worker(0);
  const auto second = s.join_worker(1);
  s.order(first, 10, 5);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 1));
  s.order(second, 11, 5);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 2));
  s.order(second, 12, 6);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::parameters, 4));
  std::vector<frame_kind> kinds;
  for (const auto& f : s.heard_tensor->frames())
    kinds.push_back(f.kind);
  CHECK(kinds == std::vector<frame_kind>{frame_kind::parameters, frame_kind::train_order,
                                         frame_kind::parameters, frame_kind::train_order,
                                         frame_kind::parameters, frame_kind::train_order,
                                         frame_kind::parameters});
  const auto frames = s.heard_tensor->frames();
  for (const std::size_t announced : {0, 4}) {
    const std::uint64_t version = announced == 0 ? 5 : 6;
    CHECK(read_pair(frames[announced].head)->first == version);
    CHECK(frames[announced].announced_floats == 0);
    CHECK(*read_pair(frames[announced + 2].head) == std::pair<std::uint64_t, std::uint64_t>{version, 0});
    CHECK(frames[announced + 2].floats ==
          std::vector<float>(s.setup->net->parameters().size(), static_cast<float>(version)));
  }
  const auto order = read_train_order(frames[5].head, 512);
  REQUIRE(order.ok());
  CHECK(order->slot == 1);
  CHECK(order->lease == 12);
  CHECK(order->version == 6);
  CHECK(order->batches.at(0).ids == std::vector<std::uint32_t>{0, 1, 2, 3});
}

TEST_CASE("remote node: a gradient that orders add travels once, before the first of them") {
  remote_stage s;
  const auto worker = s.join_worker(0);
  const auto one = s.parameters(1.0F);
  const auto two = s.parameters(2.0F);
  std::uint64_t lease = 10;
  for (const auto& added : {one, one, two, blob(), two})
    s.order(worker, ++lease, 5, 4, added);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 5));
  std::vector<float> before_orders;
  float held = 0.0F;
  for (const auto& f : s.heard_tensor->frames()) {
    if (f.kind == frame_kind::added_gradient)
      before_orders.push_back(held = f.floats.at(0));
    if (f.kind == frame_kind::train_order) {
      const auto order = read_train_order(f.head, 512);
      REQUIRE(order.ok());
      CHECK(order->adds_gradient == (order->lease != 14));
      CHECK(held == (order->lease < 13 ? 1.0F : 2.0F));
    }
  }
  CHECK(before_orders == std::vector<float>{1.0F, 2.0F});
}
