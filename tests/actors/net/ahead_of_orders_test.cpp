#include "session_stage.hpp"
#include "travelling_parameters.hpp"

#include <future>
#include <thread>

// Ends of parameters that travel before their orders do, between a remote_node and a session; and parts of
// gradients on their way to the coordinator.

using namespace triage;
using namespace triage::test;

TEST_CASE("session: an order sees what went ahead once the beginning is there") {
  session_stage s;
  s.open_with_worker();
  const std::size_t all = s.setup->net->parameters().size();
  const auto send = [&](frame_kind kind, std::size_t begin, std::size_t size, float value) {
    s.tensor->send(frame(kind, pair_head(6, begin), blob::copy_of(std::vector<float>(size, value)),
                         float_format::float32));
  };
  send(frame_kind::parameters_ahead, 64, all - 64, 0.75F);
  send(frame_kind::parameters_ahead, 32, 32, 0.5F);
  s.tensor->send(frame(frame_kind::parameters, pair_head(6, 32)));
  s.send_order(0, 50, 6);
  const auto order = s.world.order.wait();
  REQUIRE(order.base.arriving);
  CHECK(order.base.arriving->ready() == 0);
  send(frame_kind::parameters, 0, 32, 0.25F);
  order.base.arriving->await_all();
  CHECK(order.base.parameters.view()[0] == 0.25F);
  CHECK(order.base.parameters.view()[32] == 0.5F);
  CHECK(order.base.parameters.view()[all - 1] == 0.75F);
  s.tensor->send(frame(frame_kind::parameters_ahead, pair_head(7, 0),
                       blob::copy_of(std::vector<float>(all, 1.0F)), float_format::float32));
  CHECK(s.ended.wait().reason.starts_with("it sent " + std::to_string(all) + " parameters from 0 on ahead"));
}

namespace {

const std::vector<std::string> wide = {
    R"(model=[{"type":"dense","units":4000},{"type":"dense","units":200},{"type":"dense","units":4}])"};

void foresee(remote_stage& s, const parameters_ahead& next) {
  s.net.on_thread([&] {
    s.run->outbox.foresee(next);
    s.node->send_parameters_ahead();
    return 0;
  });
}

void order(const caf::actor& worker, std::uint64_t lease, const snapshot& at) {
  drawn_batch b;
  b.ids = {1, 2};
  b.weights = {1.0F, 1.0F};
  caf::anon_send(caf::actor_cast<worker_actor>(worker),
                 train_order{lease, at, {std::make_shared<const drawn_batch>(std::move(b))}, {}});
}

} // namespace

TEST_CASE("remote node: what is known of the next parameters goes to a node that computes, and is announced "
          "with them") {
  remote_stage s(2, wide);
  const std::size_t all = s.setup->net->parameters().size();
  const auto worker = s.join_worker(0);
  next_parameters idle(1, all);
  foresee(s, idle.merged_to(all / 2, all)); // nobody has an order
  s.order(worker, 10, 1);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 1));
  next_parameters next(2, all);
  foresee(s, next.merged_to(3 * all / 4, all));
  const auto first = s.heard_tensor->wait_for(frame_kind::parameters_ahead, 1);
  REQUIRE(first);
  CHECK(read_pair(first->head)->second + first->floats.size() == all);
  foresee(s, next.merged_to(all / 4, all));
  // More than may wait on a link at once: it goes on when that has left.
  for (std::size_t k = 1, got_ahead = 0; got_ahead < all - all / 4; ++k) {
    const auto f = s.heard_tensor->wait_for(frame_kind::parameters_ahead, k);
    REQUIRE(f);
    got_ahead += f->floats.size();
  }
  auto at = next.begun();
  order(worker, 11, at);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 2));
  next.arrival->advance(all / 4);
  s.net.on_thread([&] {
    s.node->send_arrived_parameters();
    return 0;
  });
  // Put together, they are the parameters.
  std::vector<float> got(all, -1.0F);
  std::size_t announced = 0;
  const auto covered = [&] {
    for (const auto& f : s.heard_tensor->frames()) {
      const auto where = read_pair(f.head);
      if ((f.kind != frame_kind::parameters && f.kind != frame_kind::parameters_ahead) || where->first != 2)
        continue;
      if (f.floats.empty())
        announced = where->second;
      std::copy(f.floats.begin(), f.floats.end(), got.begin() + static_cast<std::ptrdiff_t>(where->second));
    }
    return std::equal(got.begin(), got.end(), next.block.view().begin());
  };
  for (std::size_t k = 1; !covered(); ++k)
    REQUIRE(s.heard_tensor->wait_for(frame_kind::parameters, k));
  CHECK(announced == all / 4);
  for (const auto& f : s.heard_tensor->frames())
    if (f.kind == frame_kind::parameters_ahead)
      CHECK(read_pair(f.head)->first == 2);
}

TEST_CASE("remote node: who had no part of what went ahead gets it behind its order, from the front on") {
  remote_stage s(2, wide);
  const std::size_t all = s.setup->net->parameters().size();
  const auto worker = s.join_worker(0);
  next_parameters next(2, all);
  s.net.on_thread([&] {
    s.run->outbox.foresee(next.merged_to(all / 2, all));
    (void)s.run->outbox.frames_ahead(false); // another node computes and gets it
    return 0;
  });
  const auto at = next.begun();
  next.arrival->advance(all / 2);
  order(worker, 11, at);
  std::size_t got = 0;
  for (std::size_t k = 2; got < all; ++k) {
    const auto f = s.heard_tensor->wait_for(frame_kind::parameters, k);
    REQUIRE(f);
    CHECK(*read_pair(f->head) == number_pair{2, got});
    got += f->floats.size();
  }
  const auto heard = s.heard_tensor->frames();
  CHECK(heard[0].kind == frame_kind::parameters);
  CHECK(*read_pair(heard[0].head) == number_pair{2, 0}); // it announces; nothing of it has gone ahead
  CHECK(heard[0].floats.empty());
  CHECK(heard[1].kind == frame_kind::train_order);
  CHECK(std::ranges::none_of(heard, [](const auto& f) { return f.kind == frame_kind::parameters_ahead; }));
}

TEST_CASE(
    "remote node: parts of a gradient go to the coordinator as they come, and none from the first on that "
    "is not finite") {
  for (const bool finite : {true, false}) {
    CAPTURE(finite);
    remote_stage s;
    const std::size_t all = s.setup->net->parameters().size();
    const auto worker = s.join_worker(0);
    caf::anon_send(worker, welcome{7});
    REQUIRE(s.heard_tensor->wait_for(frame_kind::joined));
    s.order(worker, 10, 1);
    REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 1));
    mutable_blob gradient(all);
    std::fill(gradient.values().begin(), gradient.values().end(), 0.5F);
    if (!finite)
      gradient.values()[all / 2 + 1] = std::nanf("");
    const auto part = [&](std::size_t begin, std::size_t end) {
      s.tensor->send(
          to_frame(0, gradient_part{7, 10, gradient.early_look(), begin, end}, float_format::float32));
    };
    part(all - 10, all);
    part(all / 2, all - 10);
    part(0, all / 2);
    auto r = s.answer(10);
    r.gradient = gradient.early_look();
    s.tensor->send(to_frame(0, r, float_format::float32, all));
    const auto result = s.world.result.wait();
    CHECK(result.member == 7);
    CHECK(result.finite == finite);
    const auto told = s.world.parts();
    REQUIRE(told.size() == (finite ? 3 : 1));
    CHECK(told[0].member == 7);
    CHECK(told[0].lease == 10);
    CHECK(told[0].begin == all - 10);
    CHECK(told[0].end == all);
    CHECK(told.back().gradient.view()[all - 1] == 0.5F);
  }
}

TEST_CASE("remote node: a result that can go straight to the coordinator does not overtake one that cannot") {
  remote_stage s(2, wide);
  const std::size_t all = s.setup->net->parameters().size();
  const auto worker = s.join_worker(0);
  caf::anon_send(worker, welcome{7});
  REQUIRE(s.heard_tensor->wait_for(frame_kind::joined));
  s.order(worker, 10, 1);
  s.order(worker, 11, 1);
  REQUIRE(s.heard_tensor->wait_for(frame_kind::train_order, 2));
  // While nobody but the network's thread runs, both results come: the first has to be looked at.
  std::promise<void> go;
  const auto gone = go.get_future().share();
  for (int thread = 0; thread < 2; ++thread)
    s.system->spawn([](caf::event_based_actor*, const std::shared_future<void>& wait) { wait.wait(); }, gone);
  s.tensor->send(to_frame(0, s.answer(10), float_format::float32));
  const auto second = s.answer(11);
  s.tensor->send(to_frame(0, gradient_part{7, 11, second.gradient, 0, all}, float_format::float32));
  s.tensor->send(to_frame(0, second, float_format::float32, all));
  s.tensor->send(to_frame(join_frame{1, slot_role::worker, "worker-1"}));
  REQUIRE(s.net.on_thread([] { return true; }));
  for (int tries = 0; tries < 5000 && s.net.on_thread([&] { return s.node->describe().workers; }) < 2;
       ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(1)); // everything before has been taken in
  go.set_value();
  CHECK(s.world.told.wait_for("result ") == "result 10");
  CHECK(s.world.told.wait_for("result 11") == "result 11");
}
