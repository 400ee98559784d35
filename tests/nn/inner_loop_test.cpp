#include "core/rng.hpp"
#include "nn/optimizer.hpp"
#include "tests/support/json_text.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <string>
#include <vector>

// trsgd and tradam against what the paper says of them.

using namespace triage;

namespace {

struct rule_under_test {
  std::unique_ptr<optimizer> rule;
  std::vector<float> w;
  std::vector<std::vector<float>> moments;

  explicit rule_under_test(const std::string& description, std::size_t n = 24) : w(n) {
    rule = make_optimizer(json_text(description), {"test", ""}).take();
    moments.assign(rule->moments().size(), std::vector<float>(n));
    rng random(4, 0);
    for (float& x : w)
      x = static_cast<float>(random.normal());
  }
  void update(std::span<const float> gradient, double rate, std::int64_t step, std::int64_t epoch_began = 0) {
    std::vector<std::span<float>> spans(moments.begin(), moments.end());
    rule->apply({.parameters = w,
                 .next = w,
                 .gradient = gradient,
                 .moments = spans,
                 .decays = true,
                 .learning_rate = rate,
                 .step = step,
                 .epoch_began = epoch_began});
  }
  [[nodiscard]] const std::vector<float>& anchor() const { return moments.back(); }
};

std::vector<float> noise(std::uint64_t stream, std::size_t n = 24) {
  rng random(8, stream);
  std::vector<float> g(n);
  for (float& x : g)
    x = static_cast<float>(random.normal());
  return g;
}

} // namespace

TEST_CASE("inner loops: of one step they are plain SGD and Adam, bit for bit, however strong the pull") {
  for (const char* pull : {"0", "0.1", "50"}) {
    const std::string options =
        std::string(R"(,"inner_steps":1,"weight_decay":0.01,"regularisation":)") + pull;
    rule_under_test trsgd(R"({"type":"trsgd","learning_rate":0.1,"momentum":0.9)" + options + "}");
    rule_under_test sgd(R"({"type":"sgd","learning_rate":0.1,"momentum":0.9,"weight_decay":0.01})");
    rule_under_test tradam(R"({"type":"tradam","learning_rate":0.01)" + options + "}");
    rule_under_test adam(R"({"type":"adam","learning_rate":0.01,"weight_decay":0.01})");
    for (std::int64_t step = 1; step <= 40; ++step) {
      const auto g = noise(static_cast<std::uint64_t>(step));
      for (auto* r : {&trsgd, &sgd, &tradam, &adam})
        r->update(g, 0.03 / static_cast<double>(step), step);
    }
    CHECK(trsgd.w == sgd.w);
    CHECK(tradam.w == adam.w);
  }
}

TEST_CASE("inner loops: without a pull they are a saw of learning rates") {
  rule_under_test trsgd(R"({"type":"trsgd","momentum":0.9,"inner_steps":4,"regularisation":0})");
  rule_under_test sgd(R"({"type":"sgd","momentum":0.9})");
  for (std::int64_t step = 1; step <= 30; ++step) {
    const auto g = noise(static_cast<std::uint64_t>(step));
    trsgd.update(g, 0.1, step);
    sgd.update(g, 0.1 / static_cast<double>((step - 1) % 4 + 1), step);
  }
  CHECK(trsgd.w == sgd.w);
}

TEST_CASE("inner loops: on a quadratic the steps of a loop follow the closed recursion") {
  // f(w) = a w^2 / 2, momentum 0: w <- w - r/(s+1) (a w + 2 lambda (w - anchor)), lambda = 0.3 * 0.1 / r.
  const double a = 3.0;
  const double r = 0.05;
  const double lambda = 0.3 * 0.1 / r;
  rule_under_test rule(
      R"({"type":"trsgd","learning_rate":0.1,"momentum":0,"inner_steps":10,"regularisation":0.3})", 1);
  rule.w[0] = 1.0F;
  double w = 1.0;
  double anchor = 0.0;
  for (std::int64_t step = 1; step <= 30; ++step) {
    const auto s = static_cast<double>((step - 1) % 10);
    if (s == 0.0)
      anchor = w;
    const std::vector<float> g = {static_cast<float>(a) * rule.w[0]};
    rule.update(g, r, step);
    w -= r / (s + 1.0) * (a * w + 2.0 * lambda * (w - anchor));
    CHECK(static_cast<double>(rule.w[0]) == doctest::Approx(w).epsilon(1e-5));
  }
}

TEST_CASE(
    "inner loops: the anchor moves every so many steps and when an epoch begins, and at no other time") {
  for (const char* type : {"trsgd", "tradam"}) {
    rule_under_test rule(std::string(R"({"type":")") + type + R"(","inner_steps":5})");
    std::int64_t epoch_began = 0;
    auto last = rule.anchor();
    for (std::int64_t step = 1; step <= 40; ++step) {
      if (step == 18 || step == 31) // in the middle of a loop
        epoch_began = step - 1;
      const auto before = rule.w;
      rule.update(noise(static_cast<std::uint64_t>(step)), 0.01, step, epoch_began);
      const bool due = (step - 1 - epoch_began) % 5 == 0;
      CHECK(rule.anchor() == (due ? before : last));
      last = rule.anchor();
    }
  }
}

TEST_CASE(
    "inner loops: the pull is the gradient of lambda |w - anchor|^2, and its size no matter of the rate") {
  // The difference that the pull makes to one step, against finite differences of the regulariser.
  for (const double rate : {0.1, 0.001}) {
    rule_under_test with(
        R"({"type":"trsgd","learning_rate":0.1,"momentum":0,"inner_steps":3,"regularisation":0.5})");
    rule_under_test without(
        R"({"type":"trsgd","learning_rate":0.1,"momentum":0,"inner_steps":3,"regularisation":0})");
    const auto g = noise(1);
    for (auto* r : {&with, &without})
      r->update(g, 0.1, 1);
    REQUIRE(with.w == without.w); // the first step is at the anchor
    const auto before = with.w;
    const auto h = noise(2);
    for (auto* r : {&with, &without})
      r->update(h, rate, 2);
    const double lambda = 0.5 * 0.1 / rate;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const auto regulariser = [&](double w) {
        const double d = w - static_cast<double>(with.anchor()[i]);
        return lambda * d * d;
      };
      const auto w = static_cast<double>(before[i]);
      const double slope = (regulariser(w + 1e-4) - regulariser(w - 1e-4)) / 2e-4;
      const double pulled = static_cast<double>(without.w[i]) - static_cast<double>(with.w[i]);
      CHECK(pulled == doctest::Approx(rate / 2.0 * slope).epsilon(1e-3));
    }
  }
}
