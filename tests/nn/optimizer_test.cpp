#include "nn/optimizer.hpp"

#include "core/rng.hpp"
#include "tests/support/json_text.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <functional>
#include <limits>
#include <vector>

using namespace triage;

namespace {

std::unique_ptr<optimizer> optimizer_from(std::string_view text) {
  auto made = make_optimizer(json_text(text), {"test.json", "/optimizer"});
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  return made.take();
}

/// One parameter in double precision, written as the textbook recursion: state and step number are kept by
/// the caller of `step`.
using recursion = std::function<double(double w, double g, int step, std::vector<double>& state)>;

/// Runs 200 random steps on 30 parameters and compares with the recursion, all elements decaying.
void compare(std::string_view description, const recursion& next) {
  CAPTURE(description);
  const auto rule = optimizer_from(description);
  constexpr std::size_t n = 30;
  rng random(23, 0);
  std::vector<float> w(n);
  for (float& x : w)
    x = static_cast<float>(random.normal());
  std::vector<double> expected(w.begin(), w.end());
  std::vector<std::vector<double>> states(n, std::vector<double>(3, 0.0));
  std::vector<std::vector<float>> moments(rule->moments().size(), std::vector<float>(n));
  const std::vector<std::span<float>> spans(moments.begin(), moments.end());
  for (int step = 1; step <= 200; ++step) {
    std::vector<float> g(n);
    for (float& x : g)
      x = static_cast<float>(random.normal() + 0.3);
    rule->apply({.parameters = w,
                 .next = w,
                 .gradient = g,
                 .gradient_scale = 0.5F,
                 .moments = spans,
                 .decays = true,
                 .learning_rate = rule->learning_rate(),
                 .step = step});
    for (std::size_t i = 0; i < n; ++i)
      expected[i] = next(expected[i], 0.5 * static_cast<double>(g[i]), step, states[i]);
  }
  for (std::size_t i = 0; i < n; ++i)
    CHECK(static_cast<double>(w[i]) == doctest::Approx(expected[i]).epsilon(2e-5));
}

} // namespace

TEST_CASE("sgd follows its recursion") {
  compare(R"({"type": "sgd", "learning_rate": 0.02})",
          [](double w, double g, int, std::vector<double>&) { return w - 0.02 * g; });
  compare(R"({"type": "sgd", "learning_rate": 0.02, "momentum": 0.9, "weight_decay": 0.01})",
          [](double w, double g, int, std::vector<double>& s) {
            s[0] = 0.9 * s[0] + g + 0.01 * w;
            return w - 0.02 * s[0];
          });
  compare(
      R"({"type": "sgd", "learning_rate": 0.02, "momentum": 0.9, "nesterov": true, "weight_decay": 0.01})",
      [](double w, double g, int, std::vector<double>& s) {
        const double d = g + 0.01 * w;
        s[0] = 0.9 * s[0] + d;
        return w - 0.02 * (d + 0.9 * s[0]);
      });
}

TEST_CASE("adam and adamw follow their recursions") {
  const auto step_of = [](double g, int step, std::vector<double>& s) {
    s[0] = 0.8 * s[0] + 0.2 * g;
    s[1] = 0.99 * s[1] + 0.01 * g * g;
    return (s[0] / (1 - std::pow(0.8, step))) / (std::sqrt(s[1] / (1 - std::pow(0.99, step))) + 1e-3);
  };
  compare(
      R"({"type": "adam", "learning_rate": 0.01, "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1})",
      [&](double w, double g, int step, std::vector<double>& s) {
        return w - 0.01 * step_of(g + 0.1 * w, step, s);
      });
  compare(
      R"({"type": "adamw", "learning_rate": 0.01, "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-3, "weight_decay": 0.1})",
      [&](double w, double g, int step, std::vector<double>& s) {
        return w * (1 - 0.01 * 0.1) - 0.01 * step_of(g, step, s);
      });
}

TEST_CASE("rmsprop follows its recursion") {
  compare(R"({"type": "rmsprop", "learning_rate": 0.01, "smoothing": 0.9, "weight_decay": 0.1})",
          [](double w, double g, int, std::vector<double>& s) {
            const double d = g + 0.1 * w;
            s[0] = 0.9 * s[0] + 0.1 * d * d;
            return w - 0.01 * d / (std::sqrt(s[0]) + 1e-8);
          });
  compare(R"({"type": "rmsprop", "learning_rate": 0.001, "smoothing": 0.9, "momentum": 0.8, "centered": true,
              "epsilon": 0.01})",
          [](double w, double g, int, std::vector<double>& s) {
            s[0] = 0.9 * s[0] + 0.1 * g * g;
            s[1] = 0.9 * s[1] + 0.1 * g;
            s[2] = 0.8 * s[2] + g / (std::sqrt(s[0] - s[1] * s[1]) + 0.01);
            return w - 0.001 * s[2];
          });
}

TEST_CASE("first steps by hand") {
  const std::vector<float> g{2.0F};
  std::vector<float> w{1.0F};
  std::vector<float> m{0.0F};
  std::vector<float> v{0.0F};
  const std::vector<std::span<float>> moments{m, v};
  optimizer_from(R"({"type": "adam"})")
      ->apply(
          {.parameters = w, .next = w, .gradient = g, .moments = moments, .learning_rate = 0.1, .step = 1});
  CHECK(static_cast<double>(w[0]) ==
        doctest::Approx(0.9)); // the first step of Adam has the length of the rate
  CHECK(static_cast<double>(m[0]) == doctest::Approx(0.2));
  CHECK(static_cast<double>(v[0]) == doctest::Approx(0.004));
}

TEST_CASE("moments are named and follow the options") {
  using names = std::vector<std::string_view>;
  CHECK(optimizer_from(R"("sgd")")->moments().empty());
  CHECK(optimizer_from(R"({"type": "sgd", "momentum": 0.5})")->moments() == names{"velocity"});
  CHECK(optimizer_from(R"("adamw")")->moments() == names{"mean", "square"});
  CHECK(optimizer_from(R"({"type": "rmsprop", "momentum": 0.5, "centered": true})")->moments() ==
        names{"square", "mean", "velocity"});
}

TEST_CASE("bad descriptions of optimizers are refused") {
  for (const auto* text : {R"("sdg")", R"({"type": "sgd", "nesterov": true})",
                           R"({"type": "sgd", "learning_rate": -1})", R"({"type": "adam", "beta2": 1.0})",
                           R"({"type": "adam", "momentum": 0.9})", R"({"learning_rate": 1})"}) {
    CAPTURE(text);
    const auto made = make_optimizer(json_text(text), {"run.json", "/optimizer"});
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().message.find("/optimizer") != std::string::npos);
  }
}

TEST_CASE("the norm of a gradient, also where squares overflow a float, and of broken ones") {
  CHECK(gradient_norm(std::vector<float>{3.0F, 4.0F}) == 5.0);
  CHECK(gradient_norm({}) == 0.0);
  std::vector<float> g(1003, 1e25F);
  CHECK(gradient_norm(g) == doctest::Approx(std::sqrt(1003.0) * 1e25));
  for (const std::size_t where : {0U, 17U, 1002U}) {
    auto broken = g;
    broken[where] = std::nanf("");
    CHECK_FALSE(std::isfinite(gradient_norm(broken)));
    broken[where] = -std::numeric_limits<float>::infinity();
    CHECK_FALSE(std::isfinite(gradient_norm(broken)));
  }
}

TEST_CASE("weighted sums of contributions, for lengths around the block size and slices of the whole") {
  for (const std::size_t n : {1U, 15U, 2047U, 2048U, 2049U, 6001U}) {
    CAPTURE(n);
    std::vector<float> a(n);
    std::vector<float> b(n);
    rng random(3, n);
    for (std::size_t i = 0; i < n; ++i) {
      a[i] = static_cast<float>(random.normal());
      b[i] = static_cast<float>(random.normal());
    }
    std::vector<float> out(n, 7.0F);
    const std::vector<weighted_gradient> both{{a.data(), 0.25F}, {b.data(), 0.75F}};
    add_up(both, 0, out);
    for (std::size_t i = 0; i < n; ++i)
      REQUIRE(
          out[i] ==
          doctest::Approx(0.25 * static_cast<double>(a[i]) + 0.75 * static_cast<double>(b[i])).epsilon(1e-5));
    std::vector<float> slice(n - n / 2);
    add_up(both, n / 2, slice);
    CHECK(std::equal(slice.begin(), slice.end(), out.begin() + static_cast<std::ptrdiff_t>(n / 2)));
    add_up(std::vector<weighted_gradient>{{a.data(), 1.0F}}, 0, out);
    CHECK(out == a);
    add_up({}, 0, out);
    CHECK(out == std::vector<float>(n));
  }
}
