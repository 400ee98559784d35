#include "nn/layers/window.hpp"

#include "tests/nn/layers/layer_runner.hpp"

#include <cmath>
#include <limits>
#include <string>

// Convolutions and pools against loops that follow the definition, for every kind of padding.

using namespace triage;

namespace {

struct geometry {
  std::int64_t size;
  std::int64_t stride;
  std::string padding; ///< as JSON
};

/// Every way for a window to meet the border: odd and even sizes, steps that leave a rest, gaps between
/// windows.
const std::vector<geometry>& geometries() {
  static const std::vector<geometry> all{{3, 1, "\"same\""}, {2, 1, "\"same\""},  {4, 3, "\"same\""},
                                         {1, 3, "\"same\""}, {3, 2, "\"valid\""}, {2, 2, "\"valid\""},
                                         {3, 2, "1"},        {5, 1, "2"},         {4, 3, "3"}};
  return all;
}

constexpr sample_shape input{6, 7, 10};
constexpr std::int64_t batch = 3;

/// Calls take(input index, row in the window, column in the window) for each input value under the window at
/// an output position; borders are left out. "same" leaves ceil(in / stride) positions, the odd pixel behind.
template <class Take>
void under_window(const geometry& g, std::int64_t plane, std::int64_t row, std::int64_t column,
                  const Take& take) {
  const auto before = [&](std::int64_t in) {
    if (g.padding == "\"valid\"")
      return std::int64_t{0};
    if (g.padding != "\"same\"")
      return static_cast<std::int64_t>(std::stoi(g.padding));
    const std::int64_t positions = (in + g.stride - 1) / g.stride;
    return std::max<std::int64_t>((positions - 1) * g.stride + g.size - in, 0) / 2;
  };
  for (std::int64_t a = 0; a < g.size; ++a)
    for (std::int64_t b = 0; b < g.size; ++b) {
      const std::int64_t y = row * g.stride + a - before(input.height);
      const std::int64_t x = column * g.stride + b - before(input.width);
      if (y >= 0 && y < input.height && x >= 0 && x < input.width)
        take(static_cast<std::size_t>((plane * input.height + y) * input.width + x), a, b);
    }
}

/// Calls expect(sample, channel, row, column) for each output in order, and compares.
template <class Expect>
void compare(const std::vector<float>& ours, const sample_shape& out, const Expect& expect) {
  REQUIRE(ours.size() == static_cast<std::size_t>(batch * out.size()));
  std::size_t i = 0;
  std::size_t wrong = 0;
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t c = 0; c < out.channels; ++c)
      for (std::int64_t y = 0; y < out.height; ++y)
        for (std::int64_t x = 0; x < out.width; ++x)
          wrong += std::abs(static_cast<double>(ours[i++]) - expect(n, c, y, x)) < 1e-4 ? 0 : 1;
  CHECK(wrong == 0);
}

std::string options(const geometry& g, std::string_view size_name) {
  return "\"" + std::string(size_name) + "\": " + std::to_string(g.size) +
         ", \"stride\": " + std::to_string(g.stride) + ", \"padding\": " + g.padding + "}]";
}

} // namespace

TEST_CASE("convolutions equal their definition, with groups, bias and activation") {
  const auto x = layer_runner::noise(static_cast<std::size_t>(batch * input.size()), 1);
  for (const auto& g : geometries())
    for (const std::int64_t groups : {1, 2, 6}) {
      const std::string text =
          R"([{"type": "conv2d", "filters": 18, "activation": "leaky_relu", "groups": )" +
          std::to_string(groups) + ", " + options(g, "kernel");
      CAPTURE(text);
      layer_runner runner(text, input);
      for (float& v : runner.tensor(runner.parameters, "bias"))
        v = static_cast<float>(&v - runner.parameters.data()) * 0.01F;
      const auto weight = runner.layout.read(runner.parameters, 0);
      const auto bias = runner.layout.read(runner.parameters, 1);
      const std::int64_t in = input.channels / groups;
      const std::int64_t out = 18 / groups;
      compare(
          runner.run(x, false), runner.chain[0]->output_shape(), [&](auto n, auto c, auto row, auto column) {
            double sum = static_cast<double>(bias[static_cast<std::size_t>(c)]);
            for (std::int64_t k = 0; k < in; ++k)
              under_window(
                  g, n * input.channels + c / out * in + k, row, column, [&](auto at, auto a, auto b) {
                    sum += static_cast<double>(
                               weight[static_cast<std::size_t>(((c * in + k) * g.size + a) * g.size + b)]) *
                           static_cast<double>(x[at]);
                  });
            return sum > 0.0 ? sum : 0.01 * sum;
          });
    }
}

TEST_CASE("pools equal their definition; padding is neither a maximum nor part of a mean") {
  auto x = layer_runner::noise(static_cast<std::size_t>(batch * input.size()), 1);
  for (float& v : x)
    v -= 20.0F; // a border of zeros would win every maximum and shift every mean
  for (const auto& g : geometries()) {
    CAPTURE(options(g, "size"));
    layer_runner largest(R"([{"type": "max_pool", )" + options(g, "size"), input);
    layer_runner mean(R"([{"type": "avg_pool", )" + options(g, "size"), input);
    const auto shape = mean.chain[0]->output_shape();
    compare(largest.run(x, false), shape, [&](auto n, auto c, auto row, auto column) {
      double most = -std::numeric_limits<double>::infinity();
      under_window(g, n * input.channels + c, row, column,
                   [&](auto at, auto, auto) { most = std::max(most, static_cast<double>(x[at])); });
      return most;
    });
    compare(mean.run(x, false), shape, [&](auto n, auto c, auto row, auto column) {
      double sum = 0.0;
      int count = 0;
      under_window(g, n * input.channels + c, row, column, [&](auto at, auto, auto) {
        sum += static_cast<double>(x[at]);
        ++count;
      });
      return sum / count;
    });
  }
  layer_runner global(R"(["global_avg_pool"])", input);
  compare(global.run(x, false), {6, 1, 1}, [&](auto n, auto c, auto, auto) {
    double sum = 0.0;
    for (std::size_t i = 0; i < 70; ++i)
      sum += static_cast<double>(x[static_cast<std::size_t>(n * 6 + c) * 70 + i]);
    return sum / 70.0;
  });
}

TEST_CASE("pools step by their size unless told otherwise") {
  window w;
  w.size = 3;
  CHECK(w.step() == 3);
  const auto place = w.place({1, 10, 9});
  REQUIRE(place.ok());
  CHECK(place->out_height == 3);
  CHECK(place->out_width == 3);
  w.stride = 1;
  CHECK(w.step() == 1);
}
