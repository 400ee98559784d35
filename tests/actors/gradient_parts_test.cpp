#include "actors/batch_trainer.hpp"
#include "controller_scene.hpp"

#include <limits>

using namespace triage;
using namespace triage::test;

namespace {

constexpr const char* wide_data = R"(data={"format":"synthetic","kind":"blobs","features":300,"classes":4})";

/// A model whose layers are large enough to be parts, with statistics behind the trained values.
std::shared_ptr<const run_setup> deep_run(const std::vector<std::string>& more = {}) {
  std::vector<std::string> options = {wide_data, R"(model=[{"type":"dense","units":600,"activation":"relu"},
                           {"type":"dense","units":300},{"type":"batch_norm"},
                           {"type":"residual","layers":[{"type":"dense","units":300,"activation":"relu"}]},
                           {"type":"dense","units":4}])"};
  options.insert(options.end(), more.begin(), more.end());
  return small_run(options);
}

train_order order_of(const run_setup& setup) {
  mutable_blob parameters(setup.net->parameters().size());
  setup.net->parameters().initialise(parameters.values(), 1);
  drawn_batch batch;
  for (std::uint32_t i = 0; i < 16; ++i)
    batch.ids.push_back(i);
  batch.weights.assign(16, 1.0F);
  return {
      5, {0, std::move(parameters).freeze()}, {std::make_shared<const drawn_batch>(std::move(batch))}, {}};
}

} // namespace

TEST_CASE("parts: what is called final does not change any more, and parts cover the trained values once") {
  const auto setup = deep_run();
  const std::size_t trained = setup->net->parameters().trained_size();
  REQUIRE(setup->net->parameters().size() > trained);
  batch_trainer trainer(setup);
  const auto order = order_of(*setup);
  std::vector<float> seen(trained, std::numeric_limits<float>::quiet_NaN());
  std::size_t at = trained;
  int parts = 0;
  const auto result = trainer.train(order, [&](const gradient_part& p) {
    ++parts;
    CHECK(p.lease == 5);
    CHECK(p.end == at);
    REQUIRE(p.begin < p.end);
    at = p.begin;
    std::copy(p.gradient.data() + p.begin, p.gradient.data() + p.end,
              seen.begin() + static_cast<std::ptrdiff_t>(p.begin));
  });
  CHECK(at == 0);
  CHECK(parts >= 3);
  CHECK(result.finite);
  CHECK(seen == std::vector<float>(result.gradient.data(), result.gradient.data() + trained));
  // The same gradient as without parts.
  batch_trainer other(setup);
  CHECK(largest_difference(other.train(order).gradient, result.gradient) == 0.0);
}

TEST_CASE(
    "parts: what a batch adds to its gradient is in every part and in the whole, and not in the statistics") {
  const auto setup = deep_run();
  const std::size_t size = setup->net->parameters().size();
  const std::size_t trained = setup->net->parameters().trained_size();
  batch_trainer trainer(setup);
  const auto order = order_of(*setup);
  const auto plain = trainer.train(order);
  mutable_blob added(size);
  for (std::size_t i = 0; i < size; ++i)
    added.values()[i] = 0.001F * static_cast<float>(i % 7) - 0.002F;
  auto batch = *order.batches.front();
  batch.added_gradient = std::move(added).freeze();
  std::vector<float> seen(trained);
  const auto result = trainer.train(order.base, batch, order.lease, [&](const gradient_part& p) {
    std::copy(p.gradient.data() + p.begin, p.gradient.data() + p.end,
              seen.begin() + static_cast<std::ptrdiff_t>(p.begin));
  });
  REQUIRE(result.finite);
  for (std::size_t i = 0; i < size; ++i) {
    CAPTURE(i);
    const float expected = plain.gradient.data()[i] + (i < trained ? batch.added_gradient.data()[i] : 0.0F);
    REQUIRE(result.gradient.data()[i] == expected);
    if (i < trained)
      REQUIRE(seen[i] == expected);
  }
}

TEST_CASE("parts: a gradient that is not finite is not passed on from where it is not") {
  const auto setup = deep_run();
  batch_trainer trainer(setup);
  auto order = order_of(*setup);
  mutable_blob parameters(order.base.parameters.size());
  std::copy(order.base.parameters.view().begin(), order.base.parameters.view().end(),
            parameters.values().begin());
  parameters.values()[0] = std::numeric_limits<float>::infinity();
  order.base.parameters = std::move(parameters).freeze();
  const auto result = trainer.train(order, [&](const gradient_part& p) {
    for (std::size_t i = p.begin; i < p.end; ++i)
      REQUIRE(std::isfinite(p.gradient.data()[i]));
  });
  CHECK_FALSE(result.finite);
}

TEST_CASE(
    "parts: a round that is summed on the way ends with the same parameters, also when members are lost") {
  const std::vector<std::string> options = {
      wide_data, R"(model=[{"type":"dense","units":600},{"type":"dense","units":4}])", "runtime.workers=3"};
  for (const bool lose_one : {false, true}) {
    CAPTURE(lose_one);
    scene with(options);
    scene without(options);
    const auto& layout = with.setup->net->parameters();
    std::vector<blob> gradients;
    for (std::uint64_t m = 0; m < 3; ++m) {
      rng random(9, m);
      mutable_blob g(layout.size());
      for (float& x : g.values())
        x = static_cast<float>(0.01 * random.normal());
      gradients.push_back(std::move(g).freeze());
    }
    for (auto* s : {&with, &without}) {
      s->serve();
      s->controller.expect_members(3);
      for (int m = 0; m < 3; ++m)
        s->controller.member_joined("m");
      s->serve();
      REQUIRE(s->world.orders.size() == 3);
      for (std::uint64_t m = 0; m < 3; ++m) {
        const auto order = s->world.orders.at(m);
        for (std::size_t from = layout.trained_size(); s == &with && from > 0;) {
          const std::size_t begin = from > 60000 ? from - 60000 : 0;
          const gradient_part both[] = {
              {m, order.lease, gradients[m], begin, from},
              {m, order.lease + 1000, gradients[m], 0, from}}; // of no lease: ignored
          s->controller.parts_arrived(both);
          from = begin;
        }
      }
      for (std::uint64_t m = 0; m < 3; ++m) {
        if (lose_one && m == 1) {
          s->controller.member_lost(1, "it is gone");
          continue;
        }
        s->shared = gradients[m];
        s->answer(m);
      }
      CHECK(s->controller.current().version == 1);
    }
    CHECK(largest_difference(with.controller.current().parameters, without.controller.current().parameters) ==
          0.0);
  }
}

TEST_CASE("parts: results that come together under asp are merged one after the other, four in a pass") {
  const std::vector<std::string> options = {
      wide_data, R"(model=[{"type":"dense","units":60},{"type":"dense","units":4}])", "runtime.workers=6",
      R"(runtime.exchange={"policy":"asp"})", R"(schedule={"type":"cosine"})"};
  scene single(options);
  scene together(options);
  std::vector<train_result> results(6);
  for (auto* s : {&single, &together}) {
    s->serve();
    s->controller.expect_members(6);
    for (int m = 0; m < 6; ++m)
      s->controller.member_joined("m");
    s->serve();
    REQUIRE(s->world.orders.size() == 6);
    for (std::uint64_t m = 0; m < 6; ++m) {
      rng random(9, m);
      mutable_blob g(s->setup->net->parameters().size());
      for (float& x : g.values())
        x = static_cast<float>(0.01 * random.normal());
      auto& r = results[m];
      r = {};
      r.member = m;
      r.lease = s->world.orders.at(m).lease;
      r.gradient = std::move(g).freeze();
      r.finite = m != 2; // one is dropped among those that count
    }
    s->world.orders.clear();
    if (s == &single)
      for (const auto& r : results)
        s->controller.results_arrived({&r, 1});
    else
      s->controller.results_arrived(results);
    CHECK(s->controller.current().version == 5);
    const auto& members = s->controller.members().members();
    for (std::uint64_t m = 0; m < 6; ++m)
      CHECK(members[m].lag == (m < 3 ? m : m - 1)); // merged since its order, before it
  }
  CHECK(largest_difference(single.controller.current().parameters,
                           together.controller.current().parameters) == 0.0);
  together.serve();
  CHECK(together.world.orders.size() == 6);
}

TEST_CASE(
    "parts: beside its workers a controller under asp sends the next order before the merge it starts from") {
  const std::vector<std::string> options = {
      wide_data, R"(model=[{"type":"dense","units":600},{"type":"dense","units":4}])", "runtime.workers=2",
      R"(runtime.exchange={"policy":"asp"})"};
  for (const bool beside : {false, true}) {
    scene s(options);
    if (beside)
      s.controller.runs_beside_workers();
    s.serve();
    s.controller.expect_members(2);
    for (int m = 0; m < 2; ++m)
      s.controller.member_joined("m");
    s.serve();
    s.answer(0);
    const auto& order = s.world.orders.at(0);
    CHECK(order.base.version == 1);
    CHECK((order.base.arriving != nullptr) == beside); // sent while nothing was final yet
    if (beside)
      CHECK(order.base.arriving->complete()); // and all is since
    CHECK(order.base.parameters.data() == s.controller.current().parameters.data());
  }
}
