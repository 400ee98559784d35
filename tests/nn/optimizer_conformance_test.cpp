#include "nn/optimizer.hpp"

#include "core/rng.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <vector>

// What every update rule promises, over the whole table and over the options that change its loop.

using namespace triage;

namespace {

/// A parameter block under one rule.
struct trainee {
  const optimizer& rule;
  std::vector<float> parameters;
  std::vector<std::vector<float>> moments;

  trainee(const optimizer& r, std::vector<float> start) : rule(r), parameters(std::move(start)) {
    moments.assign(rule.moments().size(), std::vector<float>(parameters.size()));
  }

  /// One update of the elements [begin, end); `next` may be the parameters themselves.
  void update(std::span<const float> gradient, std::int64_t step, std::size_t begin, std::size_t end,
              std::vector<float>& next, float scale = 1.0F, double rate = 0.01, bool decays = true) {
    std::vector<std::span<float>> slices;
    for (auto& m : moments)
      slices.push_back(std::span(m).subspan(begin, end - begin));
    rule.apply({.parameters = std::span<const float>(parameters).subspan(begin, end - begin),
                .next = std::span(next).subspan(begin, end - begin),
                .gradient = gradient.subspan(begin, end - begin),
                .gradient_scale = scale,
                .moments = slices,
                .decays = decays,
                .learning_rate = rate,
                .step = step});
  }
  void update(std::span<const float> gradient, std::int64_t step) {
    update(gradient, step, 0, parameters.size(), parameters);
  }
};

std::vector<float> noise(std::size_t n, std::uint64_t stream) {
  rng random(17, stream);
  std::vector<float> v(n);
  for (float& x : v)
    x = static_cast<float>(random.normal());
  return v;
}

template <class Check>
void for_every_rule(const Check& check) {
  std::vector<json_value> descriptions{
      json_text(R"({"type": "sgd", "momentum": 0.9})"),
      json_text(R"({"type": "sgd", "momentum": 0.9, "nesterov": true})"),
      json_text(R"({"type": "rmsprop", "momentum": 0.9})"),
      json_text(R"({"type": "rmsprop", "centered": true})"),
      json_text(R"({"type": "rmsprop", "momentum": 0.9, "centered": true})"),
  };
  for (const auto name : names_of(optimizers()))
    descriptions.push_back(json_value(json_value::object{{"type", json_value(name)}}));
  for (auto& d : descriptions)
    for (const double decay : {0.0, 0.1}) {
      d.set("weight_decay", json_value(decay));
      const auto rule = make_optimizer(d, {"test.json", "/optimizer"});
      REQUIRE(rule.ok());
      CAPTURE(dump_json(d));
      check(**rule);
    }
}

} // namespace

TEST_CASE("an update in slices equals an update of the whole, bit for bit") {
  for_every_rule([](const optimizer& rule) {
    constexpr std::size_t n = 16 * 40;
    trainee whole(rule, noise(n, 1));
    trainee sliced(rule, noise(n, 1));
    for (std::int64_t step = 1; step <= 5; ++step) {
      const auto g = noise(n, static_cast<std::uint64_t>(10 + step));
      whole.update(g, step);
      std::size_t begin = 0;
      for (const std::size_t end :
           {std::size_t{16}, std::size_t{144}, std::size_t{144}, std::size_t{608}, n}) {
        sliced.update(g, step, begin, end, sliced.parameters);
        begin = end;
      }
    }
    CHECK(whole.parameters == sliced.parameters);
    CHECK(whole.moments == sliced.moments);
  });
}

TEST_CASE("an update in place equals one into another block, for every length") {
  for_every_rule([](const optimizer& rule) {
    for (std::size_t n = 0; n < 70; n += 1 + n / 20) {
      trainee here(rule, noise(n, 1));
      trainee there(rule, noise(n, 1));
      for (std::int64_t step = 1; step <= 3; ++step) {
        const auto g = noise(n, static_cast<std::uint64_t>(10 + step));
        here.update(g, step);
        const auto before = there.parameters;
        std::vector<float> next(n, -1.0F);
        there.update(g, step, 0, n, next);
        CHECK(there.parameters == before);
        there.parameters = next;
      }
      CHECK(here.parameters == there.parameters);
      CHECK(here.moments == there.moments);
    }
  });
}

TEST_CASE("gaps of the block stay zero, and only slices that decay do") {
  for_every_rule([](const optimizer& rule) {
    trainee gap(rule, std::vector<float>(37, 0.0F));
    trainee weights(rule, std::vector<float>(37, 2.0F));
    trainee biases(rule, std::vector<float>(37, 2.0F));
    const std::vector<float> nothing(37, 0.0F);
    for (std::int64_t step = 1; step <= 4; ++step) {
      gap.update(nothing, step);
      weights.update(nothing, step);
      biases.update(nothing, step, 0, 37, biases.parameters, 1.0F, 0.01, false);
    }
    CHECK(gap.parameters == nothing);
    const bool decays = weights.parameters[0] < 2.0F;
    for (std::size_t i = 0; i < 37; ++i) {
      CHECK(biases.parameters[i] == 2.0F);
      CHECK((weights.parameters[i] < 2.0F) == decays);
    }
  });
}

TEST_CASE("the gradient scale multiplies the gradient before anything else") {
  for_every_rule([](const optimizer& rule) {
    trainee scaled(rule, noise(50, 1));
    trainee plain(rule, noise(50, 1));
    for (std::int64_t step = 1; step <= 3; ++step) {
      auto g = noise(50, static_cast<std::uint64_t>(step + 20));
      scaled.update(g, step, 0, 50, scaled.parameters, 0.25F);
      for (float& x : g)
        x *= 0.25F;
      plain.update(g, step);
    }
    CHECK(scaled.parameters == plain.parameters);
  });
}

TEST_CASE("a learning rate of zero changes no parameter") {
  for_every_rule([](const optimizer& rule) {
    trainee t(rule, noise(50, 1));
    t.update(noise(50, 2), 1, 0, 50, t.parameters, 1.0F, 0.0);
    CHECK(t.parameters == noise(50, 1));
  });
}

TEST_CASE("every rule goes down a quadratic bowl") {
  for_every_rule([](const optimizer& rule) {
    trainee t(rule, noise(64, 1));
    const double before = gradient_norm(t.parameters);
    for (std::int64_t step = 1; step <= 1200; ++step) {
      const auto g = t.parameters; // the gradient of |w|^2 / 2
      t.update(g, step);
    }
    CHECK(gradient_norm(t.parameters) < 0.3 * before);
  });
}
