#include "actors/parameter_arrival.hpp"
#include "controller_scene.hpp"

using namespace triage;
using namespace triage::test;

// Orders that go out while the merge that they start from is under way.

namespace {

std::vector<std::string> wide(std::vector<std::string> more) {
  more.insert(more.end(),
              {R"(data={"format":"synthetic","kind":"blobs","train_size":512,"features":300,"classes":4})",
               R"(model=[{"type":"dense","units":600},{"type":"batch_norm"},
                                     {"type":"dense","units":300},{"type":"dense","units":4}])"});
  return more;
}

/// A world that looks at each order when it comes, and at its parameters whenever more of them is final.
class watching_world : public fake_world {
public:
  void send_order(std::uint64_t member, const train_order& order) override {
    fake_world::send_order(member, order);
    ready_at_order.push_back(order.base.arriving ? order.base.arriving->ready()
                                                 : order.base.parameters.size());
    if (order.base.arriving)
      early = order.base;
  }
  void parameters_advanced() override {
    REQUIRE(early.arriving);
    const std::size_t ready = early.arriving->ready();
    CHECK(ready > seen.size());
    seen.insert(seen.end(), early.parameters.view().begin() + static_cast<std::ptrdiff_t>(seen.size()),
                early.parameters.view().begin() + static_cast<std::ptrdiff_t>(ready));
    ++advances;
  }
  void draw(std::size_t batches, double fraction, const snapshot& at) override {
    fake_world::draw(batches, fraction, at);
    CHECK_MESSAGE(!at.arriving, "the sampler got parameters that are still being written");
    drawn_at.push_back(at.version);
  }
  void evaluate(const snapshot& at) override {
    fake_world::evaluate(at);
    CHECK(!at.arriving);
  }
  void save_checkpoint(const snapshot& at, saved_state state, bool best) override {
    fake_world::save_checkpoint(at, std::move(state), best);
    CHECK(!at.arriving);
  }
  std::vector<std::size_t> ready_at_order;
  std::vector<float> seen; ///< the parameters of the present round, each part as it was when it became final
  snapshot early;
  int advances = 0;
  std::vector<std::uint64_t> drawn_at;
};

using watched_scene = basic_scene<watching_world>;

blob gradient_of(const run_setup& setup, std::uint64_t stream) {
  rng random(9, stream);
  mutable_blob g(setup.net->parameters().size());
  for (float& x : g.values())
    x = static_cast<float>(0.01 * random.normal());
  return std::move(g).freeze();
}

void join(watched_scene& s, int members) {
  s.serve();
  for (int m = 0; m < members; ++m)
    s.controller.member_joined("m");
  s.serve();
}

bool same(const std::vector<float>& a, const blob& b) {
  return std::equal(a.begin(), a.end(), b.view().begin(), b.view().end());
}

} // namespace

TEST_CASE(
    "early orders: a round's orders go first, then its parameters from front to back, as merged without") {
  for (const char* clipping : {"gradient_clipping=null", "gradient_clipping=0.5"})
    for (const int members : {1, 3}) {
      CAPTURE(clipping);
      CAPTURE(members);
      const auto minimum = "runtime.min_workers=" + std::to_string(members);
      watched_scene early(wide({"runtime.workers=0", minimum, clipping}), true);
      watched_scene plain(wide({"runtime.workers=1", minimum, clipping}), true);
      for (auto* s : {&early, &plain})
        join(*s, members);
      for (std::uint64_t round = 1; round <= 3; ++round) {
        early.world.seen.clear();
        early.world.ready_at_order.clear();
        for (auto* s : {&early, &plain})
          for (std::uint64_t m = 0; m < static_cast<std::uint64_t>(members); ++m) {
            s->shared = gradient_of(*s->setup, 10 * round + m);
            s->answer(m);
          }
        CHECK(early.world.ready_at_order == std::vector<std::size_t>(static_cast<std::size_t>(members), 0));
        CHECK(early.world.early.version == round);
        CHECK(early.world.early.arriving->complete());
        CHECK(same(early.world.seen, early.controller.current().parameters));
        CHECK(same(early.world.seen, plain.controller.current().parameters));
        CHECK(!early.controller.current().arriving);
        CHECK(plain.world.ready_at_order.back() == plain.controller.current().parameters.size());
      }
      // With several gradients the other threads may have merged all before this one looks.
      CHECK(early.world.advances >= (members == 1 ? 12 : 3));
      CHECK(plain.world.advances == 0);
    }
}

TEST_CASE("early orders: none where the run pauses; what is saved and measured is whole") {
  watched_scene s(wide({"runtime.workers=0", "runtime.min_workers=2", "evaluation.every_epochs=0.125"}),
                  true);
  join(s, 2);
  for (int round = 0; round < 6; ++round) {
    s.world.seen.clear();
    const int before = s.world.evaluations;
    s.world.ready_at_order.clear();
    for (std::uint64_t m = 0; m < 2; ++m)
      s.answer(m);
    if (s.world.evaluations > before)
      for (const std::size_t ready : s.world.ready_at_order)
        CHECK(ready == s.controller.current().parameters.size());
    else
      CHECK(s.world.ready_at_order == std::vector<std::size_t>{0, 0});
  }
  CHECK(s.world.evaluations >= 2);
}

TEST_CASE("early orders: estimators are told of parameters when these are merged, and batches are as many as "
          "ever") {
  const std::vector<std::string> scored = {
      "runtime.min_workers=2",
      R"(sampling={"type":"pps_epoch","score":"loss","estimator":{"type":"oldest_first","refresh_after_epochs":1}})"};
  auto with = scored;
  with.emplace_back("runtime.workers=0");
  auto without = scored;
  without.emplace_back("runtime.workers=1");
  watched_scene early(wide(with), true);
  watched_scene plain(wide(without), true);
  for (auto* s : {&early, &plain}) {
    join(*s, 2);
    for (int round = 0; round < 4; ++round) {
      s->world.seen.clear();
      for (std::uint64_t m = 0; m < 2; ++m)
        s->answer(m);
    }
  }
  CHECK(early.world.advances > 0);
  CHECK(early.world.drawn_at == plain.world.drawn_at);
}

TEST_CASE(
    "early orders: a member that is lost before the last result costs the round nothing but its batch") {
  watched_scene s(wide({"runtime.workers=0", "runtime.min_workers=1"}), true);
  join(s, 3);
  s.answer(0);
  s.answer(2);
  CHECK(s.world.advances == 0);
  CHECK(s.controller.current().version == 0);
  s.world.orders.erase(1);
  s.controller.member_lost(1, "it is gone");
  CHECK(s.controller.current().version == 1);
  CHECK(s.world.orders.size() == 2);
  CHECK(same(s.world.seen, s.controller.current().parameters));
}
