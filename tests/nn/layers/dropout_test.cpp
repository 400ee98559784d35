#include "tests/nn/layers/layer_runner.hpp"

#include <cmath>

using namespace triage;

namespace {

constexpr std::size_t many = 40000;
const std::vector<float>& ones() {
  static const std::vector<float> v(many, 1.0F);
  return v;
}

} // namespace

TEST_CASE("dropout keeps the asked part, scaled so that the mean stays, and passes gradients through the "
          "same mask") {
  for (const double rate : {0.1, 0.5, 0.9}) {
    CAPTURE(rate);
    layer_runner runner(R"([{"type": "dropout", "rate": )" + std::to_string(rate) + "}]", {100, 1, 1});
    const auto y = runner.run(ones(), true, ones());
    CHECK(y == runner.dx);
    double kept = 0.0;
    for (const float v : y) {
      CHECK_UNARY(v == 0.0F || std::abs(static_cast<double>(v) - 1.0 / (1.0 - rate)) < 1e-5);
      kept += v > 0.0F ? 1.0 : 0.0;
    }
    CHECK(std::abs(kept / many - (1.0 - rate)) < 4.0 * std::sqrt(rate * (1.0 - rate) / many));
  }
}

TEST_CASE("masks differ from pass to pass, repeat with the stream, and neighbours are independent") {
  layer_runner runner(R"(["dropout"])", {100, 1, 1});
  const auto first = runner.run(ones(), true);
  const auto second = runner.run(ones(), true);
  CHECK(first != second);
  runner.random = rng(5, rng_purpose::dropout);
  CHECK(runner.run(ones(), true) == first);
  // Correlations between neighbours, between rows and between passes: each product has mean 0, deviation 1.
  const auto sign = [](float v) { return v > 0.0F ? 1.0 : -1.0; };
  double next = 0.0;
  double below = 0.0;
  double later = 0.0;
  for (std::size_t i = 0; i + 100 < many; ++i) {
    next += sign(first[i]) * sign(first[i + 1]);
    below += sign(first[i]) * sign(first[i + 100]);
    later += sign(first[i]) * sign(second[i]);
  }
  for (const double sum : {next, below, later})
    CHECK(std::abs(sum) < 4.0 * std::sqrt(static_cast<double>(many)));
}

TEST_CASE("dropout does nothing in inference and at rate 0") {
  layer_runner runner(R"(["dropout"])", {100, 1, 1});
  CHECK(runner.run(ones(), false) == ones());
  layer_runner none(R"([{"type": "dropout", "rate": 0}])", {100, 1, 1});
  CHECK(none.run(ones(), true, ones()) == ones());
  CHECK(none.dx == ones());
}
