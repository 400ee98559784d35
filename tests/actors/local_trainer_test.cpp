#include "actors/local_trainer.hpp"
#include "in_double.hpp"
#include "run_support.hpp"

using namespace triage;
using namespace triage::test;

// A worker's part of a round of several local steps, against references that share no code.

namespace {

/// One order of so many batches of eight points.
train_order order_of(const snapshot& base, std::size_t steps, double rate) {
  train_order order{9, base, {}, {}};
  for (std::uint32_t s = 0; s < steps; ++s) {
    drawn_batch b;
    for (std::uint32_t i = 0; i < 8; ++i)
      b.ids.push_back(8 * s + i);
    b.weights.assign(8, 1.0F);
    order.batches.push_back(std::make_shared<const drawn_batch>(std::move(b)));
    order.learning_rates.push_back(rate / (1.0 + s));
  }
  return order;
}

snapshot first_parameters(const run_setup& setup, std::uint64_t seed = 1) {
  mutable_blob block(setup.net->parameters().size());
  setup.net->parameters().initialise(block.values(), seed);
  return {3, std::move(block).freeze()};
}

} // namespace

TEST_CASE("local trainer: its steps are those of SGD with momentum, at the rates of the order") {
  const auto setup = small_run({R"(optimizer={"type":"sgd","learning_rate":1,"momentum":0.9})"});
  local_trainer trainer(setup, {.steps = 4});
  batch_trainer gradients(setup);
  std::vector<double> x;
  std::vector<double> velocity;
  for (int round = 0; round < 3; ++round) {
    const auto base = first_parameters(*setup, static_cast<std::uint64_t>(round));
    const auto order = order_of(base, 4, 0.1);
    const auto result = trainer.train(order);
    CHECK(result.finite);
    CHECK(result.lease == 9);
    CHECK(result.base_version == 3);
    x = in_double(base.parameters);
    velocity.resize(x.size(), 0.0); // which go on from round to round
    double losses = 0.0;
    for (std::size_t s = 0; s < 4; ++s) {
      mutable_blob here(x.size());
      for (std::size_t i = 0; i < x.size(); ++i)
        here.values()[i] = static_cast<float>(x[i]);
      const auto step = gradients.train({3, std::move(here).freeze()}, *order.batches[s], 1);
      losses += step.loss_sum;
      for (std::size_t i = 0; i < x.size(); ++i) {
        velocity[i] = 0.9 * velocity[i] + static_cast<double>(step.gradient.data()[i]);
        x[i] -= order.learning_rates[s] * velocity[i];
      }
    }
    CHECK(result.loss_sum == doctest::Approx(losses).epsilon(1e-4));
    auto moved = in_double(base.parameters);
    for (std::size_t i = 0; i < x.size(); ++i)
      moved[i] -= x[i];
    CHECK(largest_gap(moved, result.gradient) < 1e-5);
  }
}

TEST_CASE("local trainer: moments are kept or forgotten between rounds as the round says") {
  const auto setup = small_run({R"(optimizer={"type":"adam","learning_rate":0.01})"});
  const auto base = first_parameters(*setup);
  const auto second_round = [&](bool keeps) {
    local_trainer trainer(setup, {.steps = 2, .keeps_moments = keeps});
    (void)trainer.train(order_of(base, 2, 0.01));
    return trainer.train(order_of(base, 2, 0.01)).gradient;
  };
  local_trainer fresh(setup, {.steps = 2});
  const auto first = fresh.train(order_of(base, 2, 0.01)).gradient;
  CHECK(largest_difference(second_round(false), first) == 0.0);
  CHECK(largest_difference(second_round(true), first) > 1e-4);
}

TEST_CASE("local trainer: a worker that sends its position looks back to the anchor when a round begins") {
  const auto setup = small_run({R"(optimizer={"type":"sgd","learning_rate":1})"});
  local_trainer trainer(setup, {.steps = 1, .pull = 0.25, .sends_position = true});
  batch_trainer gradients(setup);
  std::vector<double> x;
  for (int round = 0; round < 4; ++round) {
    const auto anchor = first_parameters(*setup, 10 + static_cast<std::uint64_t>(round));
    const auto order = order_of(anchor, 1, 0.1);
    const auto z = in_double(anchor.parameters);
    if (round == 0)
      x = z; // the first round starts at the anchor
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = 0.75 * x[i] + 0.25 * z[i];
    mutable_blob here(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      here.values()[i] = static_cast<float>(x[i]);
    const auto step = gradients.train({3, std::move(here).freeze()}, *order.batches[0], 1);
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] -= 0.1 * static_cast<double>(step.gradient.data()[i]);
    CHECK(largest_gap(x, trainer.train(order).gradient) < 1e-5);
  }
}

TEST_CASE("local trainer: after a step that is not finite it stops, says so, and starts anew") {
  const auto setup = small_run({R"(optimizer={"type":"sgd","learning_rate":1,"momentum":0.9})"});
  const auto base = first_parameters(*setup);
  for (const bool position : {false, true}) {
    const local_round round{.steps = 3, .pull = position ? 0.5 : 1.0, .sends_position = position};
    local_trainer trainer(setup, round);
    (void)trainer.train(order_of(base, 3, 0.1));
    const auto bad = trainer.train(order_of(base, 3, 1e38));
    CHECK_FALSE(bad.finite);
    CHECK(bad.losses.empty()); // those of some points would not fit the order
    const auto after = trainer.train(order_of(base, 3, 0.1));
    local_trainer fresh(setup, round);
    CHECK(after.finite);
    CHECK(largest_difference(after.gradient, fresh.train(order_of(base, 3, 0.1)).gradient) == 0.0);
  }
}

TEST_CASE("local trainer: by-products of all steps come in the order of the points") {
  const auto setup = small_run({R"(sampling={"type":"pps_epoch","estimator":"byproduct"})"});
  const auto base = first_parameters(*setup);
  local_trainer trainer(setup, {.steps = 3});
  const auto all = trainer.train(order_of(base, 3, 0.0)); // at rate 0 every step starts from the base
  REQUIRE(all.scores.size() == 24);
  REQUIRE(all.losses.size() == 24);
  batch_trainer single(setup);
  const auto order = order_of(base, 3, 0.0);
  for (std::size_t s = 0; s < 3; ++s) {
    const auto one = single.train(base, *order.batches[s], 1);
    for (std::size_t i = 0; i < 8; ++i) {
      CHECK(all.scores[8 * s + i] == one.scores[i]);
      CHECK(all.losses[8 * s + i] == one.losses[i]);
    }
  }
  CHECK(all.weighted_loss == doctest::Approx(all.loss_sum)); // all weights are 1
}

TEST_CASE("trainers: a step to warm up changes nothing of those that follow") {
  for (
      const std::string model :
      {R"(model=[{"type":"dense","units":8,"activation":"relu"},{"type":"dropout","rate":0.5},{"type":"dense","units":4}])",
       R"(model=[{"type":"dense","units":8},{"type":"batch_norm"},{"type":"dense","units":4}])"}) {
    const auto setup = small_run({model});
    const auto base = first_parameters(*setup);
    const auto order = order_of(base, 3, 0.1);
    batch_trainer cold(setup);
    batch_trainer warm(setup);
    warm.warm_up();
    local_trainer cold_steps(setup, {.steps = 3});
    local_trainer warm_steps(setup, {.steps = 3});
    warm_steps.warm_up();
    for (int i = 0; i < 2; ++i) {
      const auto expected = cold.train({3, base.parameters}, *order.batches[0], 5);
      const auto got = warm.train({3, base.parameters}, *order.batches[0], 5);
      CHECK(in_double(got.gradient) == in_double(expected.gradient));
      CHECK(got.loss_sum == expected.loss_sum);
      CHECK(in_double(warm_steps.train(order).gradient) == in_double(cold_steps.train(order).gradient));
    }
  }
}
