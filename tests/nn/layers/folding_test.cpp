#include "layer_runner.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>

// What is folded away for speed (a relu into the layer before it, its derivative into the pool behind it) and
// what is computed by another algorithm must give the same numbers. A leaky_relu of slope 0 is a relu that is
// never folded.

using namespace triage;

namespace {

/// Largest difference, relative to the largest value.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0.0;
  double apart = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(std::isfinite(a[i]));
    largest = std::max(largest, std::abs(static_cast<double>(a[i])));
    apart = std::max(apart, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  REQUIRE(largest > 0.0);
  return apart / largest;
}

struct comparison {
  std::string one;
  std::string other;
  sample_shape input;
  double tolerance = 2e-6;
};

void compare(const comparison& c) {
  CAPTURE(c.one);
  CAPTURE(c.other);
  constexpr std::size_t batch = 3;
  layer_runner one(c.one, c.input);
  layer_runner other(c.other, c.input);
  REQUIRE(one.parameters.size() == other.parameters.size());
  one.parameters = layer_runner::noise(one.parameters.size(), 1);
  for (const auto& t : one.layout.tensors()) // running variances are positive
    if (t.name.ends_with("running_var"))
      std::for_each_n(one.parameters.begin() + static_cast<std::ptrdiff_t>(t.offset), t.size,
                      [](float& v) { v = 1.0F + std::abs(v); });
  other.parameters = one.parameters;
  const auto x = layer_runner::noise(batch * static_cast<std::size_t>(c.input.size()), 2);
  const auto dy =
      layer_runner::noise(batch * static_cast<std::size_t>(one.chain.back()->output_shape().size()), 3);
  const auto y = one.run(x, true, dy);
  CHECK(distance(y, other.run(x, true, dy)) < c.tolerance);
  CHECK(distance(one.dx, other.dx) < c.tolerance);
  CHECK(distance(one.gradient, other.gradient) < c.tolerance);
  CHECK(distance(one.run(x, false), other.run(x, false)) < c.tolerance);
}

} // namespace

TEST_CASE("a relu gives the same result folded into the layer before it as on its own") {
  for (const std::string before :
       {R"({"type": "dense", "units": 37})", R"({"type": "conv2d", "filters": 20})", R"("batch_norm")",
        R"({"type": "conv2d", "filters": 20}, "batch_norm")", R"({"type": "group_norm", "groups": 3})",
        R"({"type": "residual", "layers": [{"type": "conv2d", "filters": 6}]})",
        R"({"type": "conv2d", "filters": 18}, {"type": "residual", "layers":
                                      [{"type": "conv2d", "filters": 20}, "batch_norm", "relu"], "shortcut":
                                      [{"type": "conv2d", "filters": 20, "kernel": 1}]})"})
    for (const std::string after :
         {"", R"(, "max_pool")", R"(, "avg_pool")", R"(, "flatten", {"type": "dense", "units": 5})"}) {
      if (before.find("dense") != std::string::npos && after.find("pool") != std::string::npos)
        continue;
      compare({"[" + before + R"(, "relu")" + after + "]",
               "[" + before + R"(, {"type": "leaky_relu", "slope": 0})" + after + "]",
               {6, 8, 8}});
    }
}

TEST_CASE("a pool does the derivative of the relu before it, whoever applies that relu") {
  for (const std::string pool :
       {R"("max_pool")", R"({"type": "max_pool", "size": 3, "stride": 1, "padding": "same"})",
        R"({"type": "max_pool", "size": 3, "stride": 2})", R"("avg_pool")"})
    compare({R"([{"type": "conv2d", "filters": 20, "activation": "relu"}, )" + pool + "]",
             R"([{"type": "conv2d", "filters": 20}, {"type": "leaky_relu", "slope": 0}, )" + pool + "]",
             {6, 9, 9}});
}

TEST_CASE(
    "Winograd's algorithm gives the result of the direct one, with and without padding, relu and bias") {
  for (const std::string rest :
       {"", R"(, "padding": "valid")", R"(, "activation": "relu")", R"(, "bias": false)"})
    for (const std::int64_t side : {5, 8, 14})
      compare({R"([{"type": "conv2d", "filters": 48)" + rest + "}]",
               R"([{"type": "conv2d", "filters": 48, "algorithm": "direct")" + rest + "}]",
               {32, side, side},
               1e-4});
}
