#include "nn/kernels/rectifier.hpp"
#include "nn/kernels/row_norms.hpp"
#include "nn/kernels/sample_convolution.hpp"
#include "nn/workspace.hpp"
#include "tests/support/allocation_count.hpp"
#include "tests/support/json_text.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <map>
#include <string>
#include <vector>

// Every layer of the table in a small network: a step allocates nothing that stays, results do not depend on
// what the workspace did before, and a batch of one works. Then kernels of our own against plain loops.

using namespace triage;

namespace {

/// What a layer needs beside its name.
const std::map<std::string_view, std::string> required = {{"dense", R"(, "units": 12)"},
                                                          {"conv2d", R"(, "filters": 6)"},
                                                          {"group_norm", R"(, "groups": 2)"},
                                                          {"residual", R"(, "layers": ["tanh"])"},
                                                          {"synthetic_wait", R"(, "milliseconds": 0)"}};

std::string description(std::string_view name) {
  const auto more = required.find(name);
  return "{\"type\": \"" + std::string(name) + "\"" + (more == required.end() ? "" : more->second) + "}";
}

constexpr signal_set signals =
    signal::loss | signal::residual_norm | static_cast<signal_set>(signal::last_input_norm);

/// The layer between a convolution and a dense layer.
struct trained_layer {
  explicit trained_layer(std::string_view name) {
    const std::string model =
        R"([{"type": "conv2d", "filters": 6}, )" + description(name) + R"(, {"type": "dense", "units": 4}])";
    auto built = network::build(json_text(model), {"test", ""}, {2, 6, 6}, 4);
    REQUIRE_MESSAGE(built.ok(), (built.ok() ? "" : built.error().message));
    net = built.take();
    parameters.resize(net->parameters().size());
    gradient.resize(parameters.size());
    net->parameters().initialise(parameters, 3);
    loss = make_loss(json_value("softmax_cross_entropy"), {"test", ""}).take();
  }
  void fill(workspace& w, std::int64_t batch, std::uint64_t stream) {
    rng random(8, stream);
    for (float& v : w.input(batch))
      v = static_cast<float>(random.normal());
    labels.resize(static_cast<std::size_t>(batch));
    for (auto& l : labels)
      l = static_cast<std::int32_t>(random.below(4));
  }
  std::vector<float> step(workspace& w, std::int64_t batch, std::uint64_t stream = 0) {
    fill(w, batch, stream);
    rng random(1, rng_purpose::dropout);
    const auto s = w.train(parameters, batch, {labels, {}}, {}, *loss, signals, random, gradient);
    return {s.loss.begin(), s.loss.end()};
  }
  std::shared_ptr<const network> net;
  std::unique_ptr<loss_function> loss;
  std::vector<float> parameters;
  std::vector<float> gradient;
  std::vector<std::int32_t> labels;
};

template <class Check>
void for_every_layer(const Check& check) {
  for (const auto name : names_of(layers())) {
    CAPTURE(name);
    check(name);
  }
}

} // namespace

TEST_CASE("layer steps: after the first pass nothing large is allocated and nothing stays, for every layer") {
  for_every_layer([](std::string_view name) {
    trained_layer t(name);
    workspace w(t.net);
    (void)t.step(w, 9);
    t.fill(w, 9, 0);
    (void)w.infer(t.parameters, 9);
    const auto bytes = w.bytes();
    t.labels.reserve(9);
    const allocation_count count;
    for (int i = 0; i < 5; ++i) {
      rng random(1, rng_purpose::dropout);
      (void)w.train(t.parameters, 9, {t.labels, {}}, {}, *t.loss, signals, random, t.gradient);
      (void)w.infer(t.parameters, 9);
    }
    CHECK(count.largest() <= 1024); // oneDNN makes a small map of arguments for each kernel, and frees it
    CHECK(count.kept() == 0);
    CHECK(w.bytes() == bytes);
  });
}

TEST_CASE("layer steps: what a workspace did before leaves no trace, for every layer") {
  for_every_layer([](std::string_view name) {
    trained_layer t(name);
    workspace fresh(t.net);
    const auto loss = t.step(fresh, 7, 1);
    const auto gradient = t.gradient;
    workspace used(t.net);
    (void)t.step(used, 7, 2); // other samples
    (void)t.step(used, 3, 3); // another size
    t.fill(used, 7, 4);
    (void)used.infer(t.parameters, 7);
    CHECK(t.step(used, 7, 1) == loss);
    CHECK(t.gradient == gradient);
  });
}

TEST_CASE("layer steps: a batch of one is finite, and its direction goes down, for every layer") {
  for_every_layer([](std::string_view name) {
    trained_layer t(name);
    workspace w(t.net);
    const auto before = t.step(w, 1);
    double square = 0.0;
    for (const float g : t.gradient)
      square += static_cast<double>(g) * static_cast<double>(g);
    CHECK(std::isfinite(square));
    REQUIRE(square > 0.0);
    const auto trained = t.net->parameters().trained_size();
    const float rate = 0.01F / static_cast<float>(1.0 + std::sqrt(square));
    for (std::size_t i = 0; i < trained; ++i)
      t.parameters[i] -= rate * t.gradient[i];
    CHECK(t.step(w, 1)[0] < before[0]);
  });
}

TEST_CASE("layer steps: weights of zero give a gradient of zero, and doubled weights a doubled one, for "
          "every layer") {
  for_every_layer([](std::string_view name) {
    trained_layer t(name);
    workspace w(t.net);
    const auto gradient_with = [&](float weight) {
      t.fill(w, 5, 1);
      rng random(1, rng_purpose::dropout);
      const std::vector<float> weights(5, weight);
      (void)w.train(t.parameters, 5, {t.labels, {}}, weights, *t.loss, 0, random, t.gradient);
      return std::vector<float>(t.gradient.begin(),
                                t.gradient.begin() +
                                    static_cast<std::ptrdiff_t>(t.net->parameters().trained_size()));
    };
    for (const float g : gradient_with(0.0F))
      REQUIRE(g == 0.0F);
    const auto one = gradient_with(1.0F);
    const auto two = gradient_with(2.0F);
    double largest = 0.0;
    for (const float g : one)
      largest = std::max(largest, std::abs(static_cast<double>(g)));
    for (std::size_t i = 0; i < one.size(); ++i)
      REQUIRE(std::abs(static_cast<double>(two[i]) - 2.0 * static_cast<double>(one[i])) <= 1e-5 * largest);
  });
}

TEST_CASE(
    "kernels: derivatives of rectifiers and sums of images equal plain loops, at any length and start") {
  rng random(1, 0);
  const float inf = std::numeric_limits<float>::infinity();
  for (std::size_t n = 0; n < 80; ++n) {
    std::vector<float> y(n);
    std::vector<float> d(n);
    for (std::size_t i = 0; i < n; ++i) {
      const float awkward[] = {0.0F, -0.0F, inf, -inf, 1e-42F};
      y[i] = random.below(4) == 0 ? awkward[random.below(5)] : static_cast<float>(random.normal());
      d[i] = static_cast<float>(random.normal());
    }
    for (const float slope : {0.0F, 0.01F, 1.0F}) {
      std::vector<float> apart(n + 1, 7.0F);
      rectifier_gradient(y.data(), slope, d.data(), apart.data(), n);
      for (std::size_t i = 0; i < n; ++i)
        REQUIRE(apart[i] == (y[i] > 0.0F ? d[i] : slope * d[i]));
      REQUIRE(apart[n] == 7.0F);
      auto in_place = d;
      rectifier_gradient(y.data(), slope, in_place.data(), in_place.data(), n);
      REQUIRE(std::equal(in_place.begin(), in_place.end(), apart.begin()));
    }
    std::vector<float> sum(n + 1, 7.0F);
    add_images(y.data(), d.data(), false, sum.data(), n);
    for (std::size_t i = 0; i < n; ++i)
      REQUIRE(sum[i] == y[i] + d[i]);
    add_images(y.data(), d.data(), true, sum.data(), n);
    for (std::size_t i = 0; i < n; ++i)
      REQUIRE(sum[i] == std::max(0.0F, y[i] + d[i]));
    REQUIRE(sum[n] == 7.0F);
  }
  const float broken = std::nanf("");
  float out = 0.0F;
  add_images(&broken, &broken, true, &out, 1);
  CHECK(std::isnan(out)); // a relu must not hide it
}

TEST_CASE(
    "kernels: norms of rows equal double precision, for every width, also where squares overflow a float") {
  rng random(2, 0);
  for (std::size_t width = 1; width < 70; ++width) {
    std::vector<float> rows(3 * width);
    for (auto& v : rows)
      v = static_cast<float>(random.normal() * (width % 2 == 0 ? 1e25 : 1.0));
    std::vector<float> norms(3);
    row_norms(rows.data(), width, norms);
    for (std::size_t r = 0; r < 3; ++r) {
      double square = 0.0;
      for (std::size_t i = 0; i < width; ++i)
        square += static_cast<double>(rows[r * width + i]) * static_cast<double>(rows[r * width + i]);
      CHECK(static_cast<double>(norms[r]) == doctest::Approx(std::sqrt(square)).epsilon(1e-6));
    }
  }
}

TEST_CASE("kernels: norm and projection of a sample's convolution gradient equal the gradient itself, any "
          "geometry") {
  rng random(3, 0);
  const auto between = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
  };
  for (int round = 0; round < 150; ++round) {
    convolution_geometry g;
    g.groups = between(1, 3);
    g.size = between(1, 4);
    g.step = between(1, 3);
    g.top = between(0, g.size - 1);
    g.left = between(0, g.size - 1);
    g.in = {g.groups * between(1, 4), g.size + between(0, 5), g.size + between(0, 5)};
    g.out = {g.groups * between(1, 4), (g.in.height + 2 * g.top - g.size) / g.step + 1,
             (g.in.width + 2 * g.left - g.size) / g.step + 1};
    const auto noise = [&](std::int64_t n) {
      std::vector<float> v(static_cast<std::size_t>(n));
      for (auto& x : v)
        x = static_cast<float>(random.normal());
      return v;
    };
    const auto x = noise(g.in.size());
    const auto d = noise(g.out.size());
    const std::int64_t in_group = g.in.channels / g.groups;
    const std::int64_t out_group = g.out.channels / g.groups;
    const std::int64_t weights = g.out.channels * in_group * g.size * g.size;
    const auto v = noise(weights);
    const auto b = noise(g.out.channels);
    double square = 0.0;
    double projection = 0.0;
    double bias_square = 0.0;
    double bias_projection = 0.0;
    for (std::int64_t o = 0; o < g.out.channels; ++o) {
      double sum = 0.0;
      for (std::int64_t p = 0; p < g.out.height * g.out.width; ++p)
        sum += static_cast<double>(d[static_cast<std::size_t>(o * g.out.height * g.out.width + p)]);
      bias_square += sum * sum;
      bias_projection += sum * static_cast<double>(b[static_cast<std::size_t>(o)]);
      for (std::int64_t k = 0; k < in_group; ++k)
        for (std::int64_t r = 0; r < g.size; ++r)
          for (std::int64_t c = 0; c < g.size; ++c) {
            double w = 0.0;
            for (std::int64_t y = 0; y < g.out.height; ++y)
              for (std::int64_t z = 0; z < g.out.width; ++z) {
                const auto row = y * g.step + r - g.top;
                const auto column = z * g.step + c - g.left;
                if (row < 0 || row >= g.in.height || column < 0 || column >= g.in.width)
                  continue;
                w += static_cast<double>(
                         d[static_cast<std::size_t>((o * g.out.height + y) * g.out.width + z)]) *
                     static_cast<double>(x[static_cast<std::size_t>(
                         ((o / out_group * in_group + k) * g.in.height + row) * g.in.width + column)]);
              }
            square += w * w;
            projection +=
                w * static_cast<double>(
                        v[static_cast<std::size_t>(((o * in_group + k) * g.size + r) * g.size + c)]);
          }
    }
    for (const auto form : {norm_form::direct, norm_form::gram})
      for (const bool bias : {false, true}) {
        sample_convolution s(g, bias, form);
        const double norm = square + (bias ? bias_square : 0.0);
        CHECK(s.squared_norm(x.data(), d.data()) == doctest::Approx(norm).epsilon(1e-4));
        CHECK(std::abs(s.projection(x.data(), d.data(), v.data(), b.data()) - projection -
                       (bias ? bias_projection : 0.0)) <
              1e-4 * (1.0 + std::sqrt(norm * static_cast<double>(weights))));
      }
  }
}
