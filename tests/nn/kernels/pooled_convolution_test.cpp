#include "nn/kernels/pooled_convolution.hpp"

#include "nn/kernels/float_vectors.hpp"
#include "tests/support/noise.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <vector>

using namespace triage;
using test::noise;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// The input pixel that a tap of the window of output (y, x) looks at; nothing where there is none.
const float* pixel(const pooled_convolution& c, const std::vector<float>& in, std::size_t image,
                   std::size_t tap, std::size_t y, std::size_t x) {
  const std::size_t channel = tap / (c.side * c.side);
  const std::size_t row = y + tap / c.side % c.side - c.top; // below zero is far above
  const std::size_t column = x + tap % c.side - c.left;
  if (row >= c.in_height || column >= c.in_width)
    return nullptr;
  return &in[((image * c.inputs + channel) * c.in_height + row) * c.in_width + column];
}

struct reference {
  std::vector<double> out;
  std::vector<double> windows;
  std::vector<double> bias;
};

/// By the definition, in double precision; `choices` are the kernel's, which may differ where outputs are
/// equal to rounding.
reference compute(const pooled_convolution& c, const std::vector<float>& in,
                  const std::vector<float>& windows, const std::vector<float>& bias,
                  const std::vector<std::uint8_t>& choices, const std::vector<float>& out_gradient) {
  reference r{std::vector<double>(c.out_floats()), std::vector<double>(windows.size()),
              std::vector<double>(bias.size())};
  for (std::size_t n = 0; n < c.images; ++n)
    for (std::size_t o = 0; o < c.outputs; ++o)
      for (std::size_t y = 0; y < c.out_height; ++y)
        for (std::size_t x = 0; x < c.out_width; ++x) {
          const std::size_t at =
              (((n * c.outputs + o) / c.block * c.out_height + y) * c.out_width + x) * c.block + o % c.block;
          std::vector<double> values(4);
          for (std::size_t k = 0; k < 4; ++k) {
            values[k] = static_cast<double>(bias[o]);
            for (std::size_t t = 0; t < c.taps(); ++t)
              if (const float* const p = pixel(c, in, n, t, 2 * y + k / 2, 2 * x + k % 2))
                values[k] += static_cast<double>(windows[o * c.taps() + t]) * static_cast<double>(*p);
          }
          const double largest = *std::max_element(values.begin(), values.end());
          r.out[at] = std::max(largest, 0.0);
          const std::size_t chosen = choices[at];
          REQUIRE(chosen < 4);
          CHECK(values[chosen] >= largest - 1e-5);
          if (largest <= 0.0)
            continue;
          const auto g = static_cast<double>(out_gradient[at]);
          r.bias[o] += g;
          for (std::size_t t = 0; t < c.taps(); ++t)
            if (const float* const p = pixel(c, in, n, t, 2 * y + chosen / 2, 2 * x + chosen % 2))
              r.windows[o * c.taps() + t] += g * static_cast<double>(*p);
        }
  return r;
}

void check_close(const std::vector<float>& ours, const std::vector<double>& theirs) {
  double scale = 1.0;
  for (const double t : theirs)
    scale = std::max(scale, std::abs(t));
  for (std::size_t i = 0; i < theirs.size(); ++i)
    REQUIRE(std::abs(static_cast<double>(ours[i]) - theirs[i]) <= 5e-6 * scale);
}

} // namespace

TEST_CASE("pooled convolution: outputs and gradients of any shape agree with loops in double precision") {
  rng random(5, 5);
  int tried = 0;
  for (int round = 0; round < 60; ++round) {
    const auto between = [&](std::size_t low, std::size_t high) {
      return low + random.below(high - low + 1);
    };
    pooled_convolution c;
    c.inputs = between(1, 4);
    c.side = c.inputs == 1 ? between(1, 3) : c.inputs == 2 ? between(1, 2) : 1;
    c.outputs = (round % 2 == 0 ? 16U : 8U) * between(1, 4);
    c.block = channel_block(c.outputs, c.outputs);
    c.images = between(1, 3);
    c.in_height = between(2, 9);
    c.in_width = between(2, 9);
    c.top = between(0, c.side - 1);
    c.left = between(0, c.side - 1);
    // What goes out is whole windows of the pool; the last rows may look beyond the image.
    c.out_height = (c.in_height + c.top + between(0, c.side - 1) + 1 - c.side) / 2;
    c.out_width = (c.in_width + c.left + between(0, c.side - 1) + 1 - c.side) / 2;
    if (c.block == 0 || c.out_height == 0 || c.out_width == 0)
      continue;
    CAPTURE(round);
    const auto in = noise(random, c.images * c.inputs * c.in_height * c.in_width);
    const auto windows = noise(random, c.outputs * c.taps());
    const auto bias = round % 3 == 0 ? std::vector<float>(c.outputs, 0.0F) : noise(random, c.outputs);
    const auto out_gradient = noise(random, c.out_floats());
    std::vector<float> scratch(pooled_convolution_scratch_floats(c) + 1, not_a_number);
    std::vector<float> out(c.out_floats(), not_a_number);
    std::vector<float> forgetful(c.out_floats(), not_a_number);
    std::vector<std::uint8_t> choices(c.out_floats(), 9);
    const float* const given = round % 3 == 0 ? nullptr : bias.data();
    pooled_convolution_forward(c, in.data(), windows.data(), given, out.data(), choices.data(),
                               scratch.data());
    pooled_convolution_forward(c, in.data(), windows.data(), given, forgetful.data(), nullptr,
                               scratch.data());
    CHECK(out == forgetful);
    std::vector<float> windows_gradient(windows.size(), not_a_number);
    std::vector<float> bias_gradient(bias.size(), not_a_number);
    pooled_convolution_gradient(c, in.data(), out.data(), choices.data(), out_gradient.data(),
                                windows_gradient.data(), round % 3 == 0 ? nullptr : bias_gradient.data(),
                                scratch.data());
    const auto expected = compute(c, in, windows, bias, choices, out_gradient);
    check_close(out, expected.out);
    check_close(windows_gradient, expected.windows);
    if (round % 3 != 0)
      check_close(bias_gradient, expected.bias);
    CHECK(std::isnan(scratch.back())); // behind what was asked for
    ++tried;
  }
  CHECK((tried > 20 || channel_block(16, 16) == 0));
}
