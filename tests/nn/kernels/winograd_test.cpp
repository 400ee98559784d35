#include "nn/kernels/winograd.hpp"

#include "nn/kernels/float_vectors.hpp"
#include "tests/support/noise.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <span>
#include <vector>

using namespace triage;
using test::noise;

namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Images in blocks of channels; what lies outside is zero.
struct image_view {
  std::span<const float> values;
  std::size_t channels;
  std::size_t height;
  std::size_t width;
  std::size_t block;

  [[nodiscard]] double at(std::size_t image, std::size_t channel, std::ptrdiff_t y, std::ptrdiff_t x) const {
    if (y < 0 || x < 0 || y >= static_cast<std::ptrdiff_t>(height) || x >= static_cast<std::ptrdiff_t>(width))
      return 0.0;
    const std::size_t plane = image * (channels / block) + channel / block;
    const auto pixel = (plane * height + static_cast<std::size_t>(y)) * width + static_cast<std::size_t>(x);
    return static_cast<double>(values[pixel * block + channel % block]);
  }
};

/// A convolution with everything that belongs to it.
struct example {
  example(const winograd_convolution& shape, rng& random)
      : c(shape), in(noise(random, c.images * c.inputs * c.in_height * c.in_width)),
        windows(noise(random, c.inputs * c.outputs * 9)), bias(noise(random, c.outputs)),
        out_gradient(noise(random, c.images * c.outputs * c.out_height * c.out_width)),
        scratch(winograd_scratch_floats(c) + 1, nan) {}

  [[nodiscard]] image_view input() const { return {in, c.inputs, c.in_height, c.in_width, c.block}; }
  [[nodiscard]] image_view outputs(std::span<const float> values) const {
    return {values, c.outputs, c.out_height, c.out_width, c.block};
  }
  [[nodiscard]] double window(std::size_t out_channel, std::size_t in_channel, std::size_t tap) const {
    return static_cast<double>(windows[(out_channel * c.inputs + in_channel) * 9 + tap]);
  }
  /// Where the tap of an output's window looks.
  [[nodiscard]] std::ptrdiff_t row(std::size_t y, std::size_t tap) const {
    return static_cast<std::ptrdiff_t>(y + tap / 3) - static_cast<std::ptrdiff_t>(c.top);
  }
  [[nodiscard]] std::ptrdiff_t column(std::size_t x, std::size_t tap) const {
    return static_cast<std::ptrdiff_t>(x + tap % 3) - static_cast<std::ptrdiff_t>(c.left);
  }
  template <class Visit>
  void for_each_output(const Visit& visit) const {
    for (std::size_t n = 0; n < c.images; ++n)
      for (std::size_t o = 0; o < c.outputs; ++o)
        for (std::size_t y = 0; y < c.out_height; ++y)
          for (std::size_t x = 0; x < c.out_width; ++x)
            visit(n, o, y, x);
  }

  winograd_convolution c;
  std::vector<float> in;
  std::vector<float> windows;
  std::vector<float> bias;
  std::vector<float> out_gradient;
  std::vector<float> scratch;
};

/// The largest error, as a share of the largest value.
struct error_meter {
  double largest_error = 0.0;
  double largest_value = 0.0;
  void add(double value, double expected) {
    largest_error = std::isfinite(value) ? std::max(largest_error, std::abs(value - expected))
                                         : std::numeric_limits<double>::infinity();
    largest_value = std::max(largest_value, std::abs(expected));
  }
  [[nodiscard]] double relative() const { return largest_error / largest_value; }
};

double forward_error(example& e, bool with_bias, bool rectified) {
  std::vector<float> out(e.out_gradient.size(), nan);
  winograd_forward(e.c, e.in.data(), e.windows.data(), with_bias ? e.bias.data() : nullptr, rectified,
                   out.data(), e.scratch.data());
  error_meter error;
  const image_view in = e.input();
  const image_view result = e.outputs(out);
  e.for_each_output([&](std::size_t n, std::size_t o, std::size_t y, std::size_t x) {
    double sum = with_bias ? static_cast<double>(e.bias[o]) : 0.0;
    for (std::size_t i = 0; i < e.c.inputs; ++i)
      for (std::size_t tap = 0; tap < 9; ++tap)
        sum += e.window(o, i, tap) * in.at(n, i, e.row(y, tap), e.column(x, tap));
    error.add(result.at(n, o, static_cast<std::ptrdiff_t>(y), static_cast<std::ptrdiff_t>(x)),
              rectified ? std::max(sum, 0.0) : sum);
  });
  return error.relative();
}

double input_gradient_error(example& e) {
  std::vector<float> gradient(e.in.size(), nan);
  winograd_input_gradient(e.c, e.out_gradient.data(), e.windows.data(), gradient.data(), e.scratch.data());
  std::vector<double> expected(e.in.size(), 0.0);
  const auto place = [&](std::size_t n, std::size_t i, std::size_t y, std::size_t x) {
    const std::size_t plane = n * (e.c.inputs / e.c.block) + i / e.c.block;
    return ((plane * e.c.in_height + y) * e.c.in_width + x) * e.c.block + i % e.c.block;
  };
  const image_view out = e.outputs(e.out_gradient);
  e.for_each_output([&](std::size_t n, std::size_t o, std::size_t y, std::size_t x) {
    const double g = out.at(n, o, static_cast<std::ptrdiff_t>(y), static_cast<std::ptrdiff_t>(x));
    for (std::size_t tap = 0; tap < 9; ++tap) {
      const auto row = static_cast<std::size_t>(e.row(y, tap)); // below zero is far above
      const auto column = static_cast<std::size_t>(e.column(x, tap));
      if (row < e.c.in_height && column < e.c.in_width)
        for (std::size_t i = 0; i < e.c.inputs; ++i)
          expected[place(n, i, row, column)] += g * e.window(o, i, tap);
    }
  });
  error_meter error;
  for (std::size_t i = 0; i < expected.size(); ++i)
    error.add(static_cast<double>(gradient[i]), expected[i]);
  return error.relative();
}

double windows_gradient_error(example& e, bool with_bias) {
  std::vector<float> gradient(e.windows.size(), nan);
  std::vector<float> bias(e.bias.size(), nan);
  winograd_windows_gradient(e.c, e.in.data(), e.out_gradient.data(), gradient.data(),
                            with_bias ? bias.data() : nullptr, e.scratch.data());
  std::vector<double> expected(gradient.size(), 0.0);
  std::vector<double> expected_bias(bias.size(), 0.0);
  const image_view in = e.input();
  const image_view out = e.outputs(e.out_gradient);
  e.for_each_output([&](std::size_t n, std::size_t o, std::size_t y, std::size_t x) {
    const double g = out.at(n, o, static_cast<std::ptrdiff_t>(y), static_cast<std::ptrdiff_t>(x));
    expected_bias[o] += g;
    for (std::size_t i = 0; i < e.c.inputs; ++i)
      for (std::size_t tap = 0; tap < 9; ++tap)
        expected[(o * e.c.inputs + i) * 9 + tap] += g * in.at(n, i, e.row(y, tap), e.column(x, tap));
  });
  error_meter error;
  for (std::size_t i = 0; i < expected.size(); ++i)
    error.add(static_cast<double>(gradient[i]), expected[i]);
  for (std::size_t o = 0; o < bias.size(); ++o)
    if (with_bias)
      error.add(static_cast<double>(bias[o]), expected_bias[o]);
    else
      REQUIRE(std::isnan(bias[o]));
  return error.relative();
}

} // namespace

TEST_CASE("winograd: convolutions and their gradients of any shape agree with loops in double precision") {
  rng random(11, 4);
  std::size_t tried = 0;
  for (int k = 0; k < 60; ++k) {
    const auto between = [&](std::size_t low, std::size_t high) {
      return low + random.below(high - low + 1);
    };
    winograd_convolution c;
    const std::size_t channels = k % 2 == 0 ? 8 : 16;
    c.inputs = channels * between(1, k % 2 == 0 ? 7 : 5);
    c.outputs = channels * between(1, k % 2 == 0 ? 7 : 5);
    c.block = channel_block(c.inputs, c.outputs);
    if (c.block == 0)
      continue;
    c.images = between(1, 4);
    c.in_height = between(1, 11);
    c.in_width = between(1, 11);
    c.top = between(0, 2);
    c.left = between(0, 2);
    const std::size_t height = c.in_height + c.top + between(0, 2);
    const std::size_t width = c.in_width + c.left + between(0, 2);
    if (height < 3 || width < 3)
      continue;
    c.out_height = height - 2;
    c.out_width = width - 2;
    CAPTURE(k);
    CAPTURE(c.inputs);
    CAPTURE(c.outputs);
    example e(c, random);
    CHECK(forward_error(e, k % 3 != 0, k % 4 < 2) < 5e-6);
    CHECK(input_gradient_error(e) < 5e-6);
    CHECK(windows_gradient_error(e, k % 3 != 0) < 5e-6);
    CHECK(std::isnan(e.scratch.back())); // behind what was asked for
    ++tried;
  }
  CHECK((tried > 20 || channel_block(16, 16) == 0));
}

TEST_CASE("winograd: as many tiles as need several rounds, the same bits every time") {
  for (const std::size_t channels : {std::size_t{64}, std::size_t{40}}) {
    winograd_convolution c{.images = 20,
                           .inputs = channels,
                           .outputs = channels,
                           .in_height = 6,
                           .in_width = 9,
                           .out_height = 6,
                           .out_width = 9,
                           .top = 1,
                           .left = 1,
                           .block = channel_block(channels, channels)};
    if (c.block == 0)
      continue;
    rng random(12, channels);
    example e(c, random);
    CHECK(forward_error(e, true, true) < 5e-6);
    CHECK(input_gradient_error(e) < 5e-6);
    CHECK(windows_gradient_error(e, true) < 5e-6);
    std::vector<float> first(e.windows.size());
    std::vector<float> second(e.windows.size());
    for (auto* gradient : {&first, &second})
      winograd_windows_gradient(c, e.in.data(), e.out_gradient.data(), gradient->data(), nullptr,
                                e.scratch.data());
    CHECK(first == second);
  }
}

TEST_CASE("winograd: no kernel where channels fill no register") {
  for (const auto& [inputs, outputs] : {std::pair<std::size_t, std::size_t>{1, 16}, {16, 12}, {20, 16}})
    CHECK(channel_block(inputs, outputs) == 0);
  const std::size_t widest = channel_block(32, 48);
  CHECK((widest == 16 || channel_block(24, 48) == widest));
}
