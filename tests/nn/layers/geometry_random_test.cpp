#include "tests/nn/layers/layer_runner.hpp"

#include <cmath>
#include <limits>
#include <string>

// Convolutions, pools and dense layers of random shape, stride, padding, groups and batch: forward, input
// gradient and parameter gradients against loops in double precision that follow the definition.

using namespace triage;

namespace {

struct random_window {
  std::int64_t size = 1;
  std::int64_t stride = 1;
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t out_height = 0;
  std::int64_t out_width = 0;
  std::string options;
};

std::int64_t between(rng& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}

/// A window that fits into the image; what "same" and a number of pixels mean is written out here again.
random_window window_for(rng& random, const sample_shape& in, std::string_view size_name,
                         std::int64_t largest) {
  for (;;) {
    random_window w;
    w.size = between(random, 1, largest);
    w.stride = between(random, 1, 3);
    std::string padding;
    const auto kind = random.below(3);
    const auto place = [&](std::int64_t extent, std::int64_t& before) {
      if (kind == 0) { // same
        const std::int64_t out = (extent + w.stride - 1) / w.stride;
        before = std::max<std::int64_t>((out - 1) * w.stride + w.size - extent, 0) / 2;
        return out;
      }
      return extent + 2 * before < w.size ? 0 : (extent + 2 * before - w.size) / w.stride + 1;
    };
    if (kind == 2)
      w.top = w.left = between(random, 0, w.size - 1);
    w.out_height = place(in.height, w.top);
    w.out_width = place(in.width, w.left);
    if (w.out_height < 1 || w.out_width < 1)
      continue;
    padding = kind == 0 ? "\"same\"" : kind == 1 ? "\"valid\"" : std::to_string(w.top);
    w.options = "\"" + std::string(size_name) + "\": " + std::to_string(w.size) +
                ", \"stride\": " + std::to_string(w.stride) + ", \"padding\": " + padding;
    return w;
  }
}

std::vector<float> noise(rng& random, std::size_t n) {
  std::vector<float> v(n);
  for (float& x : v)
    x = static_cast<float>(random.normal());
  return v;
}

void check_close(std::span<const float> ours, const std::vector<double>& theirs, double tolerance) {
  REQUIRE(ours.size() == theirs.size());
  double scale = 1.0;
  for (const double t : theirs)
    scale = std::max(scale, std::abs(t));
  for (std::size_t i = 0; i < theirs.size(); ++i)
    REQUIRE(std::abs(static_cast<double>(ours[i]) - theirs[i]) <= tolerance * scale);
}

/// For each output position of a plane: the input positions under the window, with their place in it.
template <class Take>
void walk(const sample_shape& in, const random_window& w, const Take& take) {
  for (std::int64_t y = 0; y < w.out_height; ++y)
    for (std::int64_t x = 0; x < w.out_width; ++x)
      for (std::int64_t a = 0; a < w.size; ++a)
        for (std::int64_t b = 0; b < w.size; ++b) {
          const std::int64_t row = y * w.stride + a - w.top;
          const std::int64_t column = x * w.stride + b - w.left;
          if (row >= 0 && row < in.height && column >= 0 && column < in.width)
            take(static_cast<std::size_t>(y * w.out_width + x),
                 static_cast<std::size_t>(row * in.width + column), static_cast<std::size_t>(a * w.size + b));
        }
}

std::size_t u(std::int64_t v) {
  return static_cast<std::size_t>(v);
}

} // namespace

TEST_CASE("geometry random: a convolution of any shape equals its definition, forward and backward") {
  rng random(1, 0);
  for (int round = 0; round < 120; ++round) {
    const std::int64_t groups = between(random, 1, 4);
    const std::int64_t in_group = between(random, 1, 9);
    const std::int64_t out_group = between(random, 1, 9);
    const sample_shape in{groups * in_group, between(random, 1, 11), between(random, 1, 11)};
    const std::int64_t batch = between(random, 1, 5);
    const auto w = window_for(random, in, "kernel", 5);
    const bool bias = random.below(2) == 0;
    const std::string text = "[{\"type\": \"conv2d\", \"filters\": " + std::to_string(groups * out_group) +
                             ", \"groups\": " + std::to_string(groups) +
                             ", \"bias\": " + (bias ? "true" : "false") + ", " + w.options + "}]";
    CAPTURE(text);
    CAPTURE(to_string(in));
    CAPTURE(batch);
    layer_runner runner(text, in);
    runner.parameters = noise(random, runner.parameters.size());
    const sample_shape out = runner.chain[0]->output_shape();
    REQUIRE(out == sample_shape{groups * out_group, w.out_height, w.out_width});
    const auto x = noise(random, u(batch * in.size()));
    const auto dy = noise(random, u(batch * out.size()));
    const auto y = runner.run(x, true, dy);
    const auto weight = runner.layout.read(runner.parameters, 0);

    std::vector<double> expected(y.size());
    std::vector<double> dx(x.size());
    std::vector<double> dw(weight.size());
    std::vector<double> db(u(out.channels));
    const auto in_plane = u(in.height * in.width);
    const auto out_plane = u(w.out_height * w.out_width);
    const auto window = u(w.size * w.size);
    for (std::size_t n = 0; n < u(batch); ++n)
      for (std::size_t c = 0; c < u(out.channels); ++c) {
        const std::size_t to = (n * u(out.channels) + c) * out_plane;
        for (std::size_t p = 0; p < out_plane; ++p) {
          expected[to + p] += bias ? static_cast<double>(runner.layout.read(runner.parameters, 1)[c]) : 0.0;
          db[c] += static_cast<double>(dy[to + p]);
        }
        for (std::size_t k = 0; k < u(in_group); ++k) {
          const std::size_t from = (n * u(in.channels) + c / u(out_group) * u(in_group) + k) * in_plane;
          const std::size_t at = (c * u(in_group) + k) * window;
          walk(in, w, [&](std::size_t o, std::size_t i, std::size_t v) {
            const auto value = static_cast<double>(weight[at + v]);
            expected[to + o] += value * static_cast<double>(x[from + i]);
            dx[from + i] += value * static_cast<double>(dy[to + o]);
            dw[at + v] += static_cast<double>(x[from + i]) * static_cast<double>(dy[to + o]);
          });
        }
      }
    check_close(y, expected, 1e-5);
    check_close(runner.dx, dx, 1e-5);
    check_close(runner.layout.read(runner.gradient, 0), dw, 1e-5);
    if (bias)
      check_close(runner.layout.read(runner.gradient, 1), db, 1e-5);
  }
}

TEST_CASE("geometry random: wide convolutions, where Winograd's algorithm is used, are as near as promised") {
  rng random(2, 0);
  for (int round = 0; round < 12; ++round) {
    const std::int64_t step = round % 2 == 0 ? 16 : 8;
    const sample_shape in{16 + step * between(random, 0, 4), between(random, 3, 9), between(random, 3, 9)};
    const std::int64_t filters = 16 + step * between(random, 0, 4);
    const std::string shape = "\"filters\": " + std::to_string(filters) + ", \"kernel\": 3" +
                              (round % 4 < 2 ? "" : R"(, "activation": "relu")");
    CAPTURE(to_string(in));
    CAPTURE(filters);
    layer_runner fast("[{\"type\": \"conv2d\", " + shape + "}]", in);
    layer_runner direct("[{\"type\": \"conv2d\", \"algorithm\": \"direct\", " + shape + "}]", in);
    REQUIRE(fast.parameters == direct.parameters);
    const auto x = noise(random, u(3 * in.size()));
    const auto dy = noise(random, u(3 * filters * in.height * in.width));
    const auto as_double = [](std::span<const float> v) { return std::vector<double>(v.begin(), v.end()); };
    check_close(fast.run(x, true, dy), as_double(direct.run(x, true, dy)), 1e-5);
    check_close(fast.dx, as_double(direct.dx), 1e-5);
    check_close(fast.gradient, as_double(direct.gradient), 1e-5);
  }
}

TEST_CASE("geometry random: pools of any shape equal their definition, forward and backward") {
  rng random(3, 0);
  for (int round = 0; round < 120; ++round) {
    const bool largest = random.below(2) == 0;
    const sample_shape in{between(random, 1, 20), between(random, 1, 11), between(random, 1, 11)};
    const std::int64_t batch = between(random, 1, 4);
    const auto w = window_for(random, in, "size", 4);
    const std::string text =
        std::string("[{\"type\": \"") + (largest ? "max_pool" : "avg_pool") + "\", " + w.options + "}]";
    CAPTURE(text);
    CAPTURE(to_string(in));
    layer_runner runner(text, in);
    const sample_shape out = runner.chain[0]->output_shape();
    REQUIRE(out == sample_shape{in.channels, w.out_height, w.out_width});
    auto x = noise(random, u(batch * in.size()));
    for (float& v : x)
      v -= 3.0F; // a border of zeros would win a maximum
    const auto dy = noise(random, u(batch * out.size()));
    const auto y = runner.run(x, true, dy);

    std::vector<double> expected(y.size(), largest ? -std::numeric_limits<double>::infinity() : 0.0);
    std::vector<double> dx(x.size());
    const auto in_plane = u(in.height * in.width);
    const auto out_plane = u(w.out_height * w.out_width);
    for (std::size_t plane = 0; plane < u(batch * in.channels); ++plane) {
      const float* const from = x.data() + plane * in_plane;
      const std::size_t to = plane * out_plane;
      std::vector<int> under(out_plane);
      std::vector<std::size_t> winner(out_plane);
      walk(in, w, [&](std::size_t o, std::size_t i, std::size_t) {
        ++under[o];
        const auto v = static_cast<double>(from[i]);
        if (!largest)
          expected[to + o] += v;
        else if (v > expected[to + o]) {
          expected[to + o] = v;
          winner[o] = i;
        }
      });
      for (std::size_t o = 0; o < out_plane; ++o)
        if (largest)
          dx[plane * in_plane + winner[o]] += static_cast<double>(dy[to + o]);
        else
          expected[to + o] /= under[o];
      if (!largest)
        walk(in, w, [&](std::size_t o, std::size_t i, std::size_t) {
          dx[plane * in_plane + i] += static_cast<double>(dy[to + o]) / under[o];
        });
    }
    check_close(y, expected, 1e-5);
    check_close(runner.dx, dx, 1e-5);
  }
}

TEST_CASE("geometry random: a dense layer of any size equals its definition, forward and backward, batch of "
          "one too") {
  rng random(4, 0);
  for (int round = 0; round < 80; ++round) {
    const bool image = random.below(3) == 0;
    const sample_shape in =
        image ? sample_shape{between(random, 1, 5), between(random, 1, 6), between(random, 2, 6)}
              : sample_shape{between(random, 1, 150), 1, 1};
    const std::int64_t units = between(random, 1, 100);
    const std::int64_t batch = random.below(3) == 0 ? 1 : between(random, 2, 70);
    CAPTURE(to_string(in));
    CAPTURE(units);
    CAPTURE(batch);
    layer_runner runner("[{\"type\": \"dense\", \"units\": " + std::to_string(units) + "}]", in);
    for (std::size_t t = 0; t < 2; ++t)
      runner.layout.write(runner.parameters, t, noise(random, runner.layout[t].size));
    const auto x = noise(random, u(batch * in.size()));
    const auto dy = noise(random, u(batch * units));
    const auto y = runner.run(x, true, dy);
    const auto weight = runner.layout.read(runner.parameters, 0);
    const auto bias = runner.layout.read(runner.parameters, 1);
    const auto width = u(in.size());
    std::vector<double> expected(y.size());
    std::vector<double> dx(x.size());
    std::vector<double> dw(weight.size());
    std::vector<double> db(bias.size());
    for (std::size_t n = 0; n < u(batch); ++n)
      for (std::size_t o = 0; o < u(units); ++o) {
        const auto d = static_cast<double>(dy[n * u(units) + o]);
        expected[n * u(units) + o] = static_cast<double>(bias[o]);
        db[o] += d;
        for (std::size_t i = 0; i < width; ++i) {
          expected[n * u(units) + o] +=
              static_cast<double>(weight[o * width + i]) * static_cast<double>(x[n * width + i]);
          dx[n * width + i] += static_cast<double>(weight[o * width + i]) * d;
          dw[o * width + i] += static_cast<double>(x[n * width + i]) * d;
        }
      }
    check_close(y, expected, 1e-5);
    check_close(runner.dx, dx, 1e-5);
    check_close(runner.layout.read(runner.gradient, 0), dw, 1e-5);
    check_close(runner.layout.read(runner.gradient, 1), db, 1e-5);
  }
}
