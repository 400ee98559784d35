#include "tests/nn/layers/layer_runner.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <string>

// Activations, as layers of their own and folded into the layer before, against their definitions.

using namespace triage;

namespace {

struct definition {
  std::string name;
  std::function<double(double)> value;
  std::function<double(double)> slope;
  bool folds; ///< also an option of dense and conv2d
};

double normal_density(double x) {
  return std::exp(-0.5 * x * x) / std::sqrt(2.0 * 3.14159265358979323846);
}
double normal_distribution(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}
double logistic(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

const std::vector<definition>& definitions() {
  static const std::vector<definition> all = {
      {"relu", [](double x) { return std::max(x, 0.0); }, [](double x) { return x > 0.0 ? 1.0 : 0.0; }, true},
      {"leaky_relu", [](double x) { return x > 0.0 ? x : 0.01 * x; },
       [](double x) { return x > 0.0 ? 1.0 : 0.01; }, true},
      {"tanh", [](double x) { return std::tanh(x); },
       [](double x) { return 1.0 - std::tanh(x) * std::tanh(x); }, true},
      {"sigmoid", logistic, [](double x) { return logistic(x) * (1.0 - logistic(x)); }, true},
      {"gelu", [](double x) { return x * normal_distribution(x); },
       [](double x) { return normal_distribution(x) + x * normal_density(x); }, false},
  };
  return all;
}

/// From far in one tail to far in the other, and around zero.
std::vector<float> inputs() {
  std::vector<float> x;
  for (int i = -400; i <= 400; ++i)
    x.push_back(static_cast<float>(i) / 40.0F);
  for (const float v : {-80.0F, -20.0F, -1e-6F, 1e-6F, 20.0F, 80.0F})
    x.push_back(v);
  return x;
}

} // namespace

TEST_CASE("activations equal their definitions and derivatives over their whole range") {
  const auto x = inputs();
  const std::vector<float> dy(x.size(), 2.0F);
  for (const auto& d : definitions()) {
    CAPTURE(d.name);
    layer_runner runner("[\"" + d.name + "\"]", {1, 1, 1});
    const auto y = runner.run(x, true, dy);
    for (std::size_t i = 0; i < x.size(); ++i) {
      CAPTURE(x[i]);
      CHECK(std::abs(static_cast<double>(y[i]) - d.value(static_cast<double>(x[i]))) <
            2e-6 * (1.0 + std::abs(x[i])));
      if (x[i] != 0.0F)
        CHECK(std::abs(static_cast<double>(runner.dx[i]) - 2.0 * d.slope(static_cast<double>(x[i]))) < 1e-5);
    }
    CHECK(runner.run(x, false) == y); // inference is the same
  }
}

TEST_CASE("activations folded into dense and conv2d equal those behind them, forward and backward") {
  for (const auto& d : definitions()) {
    if (!d.folds)
      continue;
    CAPTURE(d.name);
    for (const std::string front : {R"("type": "dense", "units": 19)", R"("type": "conv2d", "filters": 7)"}) {
      CAPTURE(front);
      layer_runner folded("[{" + front + ", \"activation\": \"" + d.name + "\"}]", {3, 4, 5});
      layer_runner apart("[{" + front + "}, \"" + d.name + "\"]", {3, 4, 5});
      apart.parameters = folded.parameters; // their first values follow the activation
      const auto x = layer_runner::noise(static_cast<std::size_t>(4 * 60), 1);
      const auto dy =
          layer_runner::noise(static_cast<std::size_t>(4 * folded.chain[0]->output_shape().size()), 2);
      const auto y = folded.run(x, true, dy);
      const auto z = apart.run(x, true, dy);
      for (std::size_t i = 0; i < y.size(); ++i)
        REQUIRE(y[i] == doctest::Approx(z[i]).epsilon(1e-5));
      for (std::size_t i = 0; i < x.size(); ++i)
        REQUIRE(std::abs(folded.dx[i] - apart.dx[i]) < 2e-5F * (1.0F + std::abs(apart.dx[i])));
      for (std::size_t i = 0; i < folded.gradient.size(); ++i)
        REQUIRE(std::abs(folded.gradient[i] - apart.gradient[i]) <
                1e-4F * (1.0F + std::abs(apart.gradient[i])));
    }
  }
}

TEST_CASE("activations pass on what is not a number, so that it is noticed, and stay finite at the largest "
          "floats") {
  const float inf = std::numeric_limits<float>::infinity();
  for (const auto& d : definitions()) {
    CAPTURE(d.name);
    layer_runner runner("[\"" + d.name + "\"]", {1, 1, 1});
    const auto y = runner.run({1e30F, -1e30F, inf}, false);
    CHECK(std::isfinite(y[0]));
    CHECK(std::isfinite(y[1]));
    CHECK(static_cast<double>(y[1]) == doctest::Approx(d.value(-1e30)).epsilon(1e-6));
    CHECK((std::isinf(y[2]) || y[2] == 1.0F));
  }
}

TEST_CASE("leaky_relu of slope 0 is relu, and of slope 1 passes everything on") {
  const auto x = inputs();
  const std::vector<float> dy(x.size(), 1.5F);
  layer_runner none(R"([{"type": "leaky_relu", "slope": 0}])", {1, 1, 1});
  layer_runner relu(R"(["relu"])", {1, 1, 1});
  CHECK(none.run(x, true, dy) == relu.run(x, true, dy));
  CHECK(none.dx == relu.dx);
  layer_runner all(R"([{"type": "leaky_relu", "slope": 1}])", {1, 1, 1});
  CHECK(all.run(x, true, dy) == x);
  CHECK(all.dx == dy);
}

TEST_CASE("flatten and global average: the memory and the mean of each channel") {
  const auto x = layer_runner::noise(2 * 3 * 4 * 5, 1);
  layer_runner flat(R"(["flatten"])", {3, 4, 5});
  CHECK(flat.chain[0]->output_shape() == sample_shape{60, 1, 1});
  CHECK(flat.run(x, false) == x);
  layer_runner mean(R"(["global_avg_pool"])", {3, 4, 5});
  const std::vector<float> dy = {1, 2, 3, 4, 5, 6};
  const auto y = mean.run(x, true, dy);
  REQUIRE(y.size() == 6);
  for (std::size_t c = 0; c < 6; ++c) {
    double sum = 0.0;
    for (std::size_t p = 0; p < 20; ++p) {
      sum += static_cast<double>(x[c * 20 + p]);
      CHECK(mean.dx[c * 20 + p] == doctest::Approx(dy[c] / 20.0F));
    }
    CHECK(static_cast<double>(y[c]) == doctest::Approx(sum / 20.0).epsilon(1e-5));
  }
}
