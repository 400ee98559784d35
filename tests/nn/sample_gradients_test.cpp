#include "nn/kernels/sample_convolution.hpp"
#include "nn/workspace.hpp"
#include "tests/support/allocation_count.hpp"
#include "tests/support/json_text.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace triage;

namespace {

constexpr sample_shape image{2, 9, 9};
constexpr std::int64_t classes = 5;
constexpr std::size_t batch = 7;
constexpr signal_set all_signals = signal::loss | signal::residual_norm | signal::last_input_norm |
                                   signal::gradient_norm | signal::projection | signal::last_projection;

struct described {
  const char* name;
  const char* layers; ///< in front of the last, dense one
  double tolerance = 1e-5;
};

const described networks[] = {
    {"dense",
     R"({"type": "dense", "units": 33, "activation": "relu"}, {"type": "dense", "units": 16, "bias": false, "activation": "tanh"})"},
    {"relu as a layer", R"({"type": "dense", "units": 20}, "relu")"},
    {"conv, same", R"({"type": "conv2d", "filters": 20, "activation": "relu"}, "max_pool")"},
    {"conv, valid, stride 2, no bias",
     R"({"type": "conv2d", "filters": 6, "kernel": 4, "stride": 2, "padding": "valid", "bias": false}, "gelu")"},
    {"conv, groups", R"({"type": "conv2d", "filters": 8, "groups": 2, "activation": "tanh"})"},
    // Many channels over few positions: norms by the Gram matrices; and Winograd's algorithm, which errs by
    // 1e-5.
    {"conv, Winograd",
     R"({"type": "conv2d", "filters": 32, "kernel": 3, "stride": 2}, {"type": "conv2d", "filters": 48, "activation": "relu"})",
     2e-4},
    {"layer_norm", R"({"type": "dense", "units": 20}, "layer_norm", "relu")"},
    {"group_norm", R"({"type": "conv2d", "filters": 8}, {"type": "group_norm", "groups": 4}, "relu")"},
    {"residual",
     R"({"type": "conv2d", "filters": 8}, {"type": "residual", "layers": [{"type": "conv2d", "filters": 8}, {"type": "group_norm", "groups": 2}], "shortcut": [{"type": "conv2d", "filters": 8, "kernel": 1}]}, "relu", "avg_pool")"},
    {"dropout", R"({"type": "dense", "units": 20, "activation": "relu"}, {"type": "dropout", "rate": 0.5})"},
};

struct problem {
  explicit problem(const std::string& front) {
    const std::string text = "[" + front + (front.empty() ? "" : ", ") + R"({"type": "dense", "units": 5}])";
    auto built = network::build(json_text(text), {"test", ""}, image, classes);
    REQUIRE_MESSAGE(built.ok(), (built.ok() ? "" : built.error().message));
    net = built.take();
    parameters.resize(net->parameters().size());
    net->parameters().initialise(parameters, 3);
    rng random(5, 1);
    samples.resize(batch * static_cast<std::size_t>(image.size()));
    for (float& v : samples)
      v = static_cast<float>(random.normal());
    for (std::size_t i = 0; i < batch; ++i)
      labels.push_back(static_cast<std::int32_t>(i) % static_cast<std::int32_t>(classes));
    // A direction as a gradient could be: with zeros between the tensors.
    direction.resize(parameters.size());
    for (float& v : direction)
      v = static_cast<float>(random.normal());
    net->parameters().clear_gaps(direction);
    loss = make_loss(json_value("softmax_cross_entropy"), {"test", ""}).take();
  }

  /// The gradient of one sample's loss, by a batch of one, without dropout.
  std::vector<double> alone(std::size_t sample) {
    workspace w(net);
    fill(w, sample, 1);
    std::vector<float> gradient(parameters.size());
    const std::vector<std::int32_t> label{labels[sample]};
    (void)w.measure_gradients(parameters, 1, {label, {}}, *loss, 0, {}, gradient);
    return {gradient.begin(),
            gradient.begin() + static_cast<std::ptrdiff_t>(net->parameters().trained_size())};
  }
  void fill(workspace& w, std::size_t first, std::size_t count) {
    const auto size = static_cast<std::size_t>(image.size());
    std::copy_n(samples.begin() + static_cast<std::ptrdiff_t>(first * size), count * size,
                w.input(static_cast<std::int64_t>(count)).begin());
  }
  sample_signals measure(workspace& w, signal_set wanted, std::span<float> gradient = {}) {
    fill(w, 0, batch);
    return w.measure_gradients(parameters, batch, {labels, {}}, *loss, wanted, direction, gradient);
  }
  /// Where the tensors of the last layer start.
  [[nodiscard]] std::size_t last_begin() const {
    std::size_t begin = 0;
    const auto& tensors = net->parameters().tensors();
    const std::string prefix = std::to_string(net->layers().size() - 1) + ".";
    for (const auto& t : tensors)
      if (t.name.starts_with(prefix)) {
        begin = t.offset;
        break;
      }
    return begin;
  }

  std::shared_ptr<const network> net;
  std::unique_ptr<loss_function> loss;
  std::vector<float> parameters;
  std::vector<float> samples;
  std::vector<float> direction;
  std::vector<std::int32_t> labels;
};

double dot(std::span<const double> a, std::span<const float> b, std::size_t begin = 0) {
  double sum = 0.0;
  for (std::size_t i = begin; i < a.size(); ++i)
    sum += a[i] * static_cast<double>(b[i]);
  return sum;
}

double norm(std::span<const double> a) {
  double sum = 0.0;
  for (const double v : a)
    sum += v * v;
  return std::sqrt(sum);
}

} // namespace

TEST_CASE("gradients of single samples: norms and projections are those of brute force") {
  for (const auto& d : networks) {
    CAPTURE(d.name);
    problem p(d.layers);
    REQUIRE(p.net->missing_sample_gradients().empty());
    workspace w(p.net);
    const auto s = p.measure(w, all_signals);
    const double length = norm(std::vector<double>(p.direction.begin(), p.direction.end()));
    for (std::size_t i = 0; i < batch; ++i) {
      CAPTURE(i);
      const auto g = p.alone(i);
      const double size = norm(g);
      CHECK(static_cast<double>(s.gradient_norm[i]) == doctest::Approx(size).epsilon(d.tolerance));
      // A projection may cancel: its error is relative to the lengths.
      CHECK(std::abs(static_cast<double>(s.projection[i]) - dot(g, p.direction)) <
            d.tolerance * size * length);
      CHECK(std::abs(static_cast<double>(s.last_projection[i]) - dot(g, p.direction, p.last_begin())) <
            d.tolerance * size * length);
    }
  }
}

TEST_CASE("gradients of single samples: the mean projection on the mean gradient is its squared length") {
  for (const auto& d : networks) {
    CAPTURE(d.name);
    problem p(d.layers);
    workspace w(p.net);
    std::vector<float> mean(p.parameters.size());
    (void)p.measure(w, 0, mean);
    p.direction = mean;
    const auto s = p.measure(w, static_cast<signal_set>(signal::projection));
    double sum = 0.0;
    for (const float v : s.projection)
      sum += static_cast<double>(v) / static_cast<double>(batch);
    const double length = norm(std::vector<double>(mean.begin(), mean.end()));
    CHECK(sum == doctest::Approx(length * length).epsilon(10.0 * d.tolerance));
  }
}

TEST_CASE("gradients of single samples: by-products of training with uneven weights are the same") {
  for (const auto& d : networks) {
    if (std::string(d.name) == "dropout")
      continue; // training drops
    CAPTURE(d.name);
    problem p(d.layers);
    workspace w(p.net);
    const auto s = p.measure(w, all_signals);
    const std::vector<float> norms(s.gradient_norm.begin(), s.gradient_norm.end());
    const std::vector<float> projections(s.projection.begin(), s.projection.end());
    std::vector<float> weights(batch, 1.0F);
    weights[1] = 3.0F;
    weights[2] = 0.25F;
    weights[3] = 0.0F;
    rng random(1, 1);
    std::vector<float> gradient(p.parameters.size());
    p.fill(w, 0, batch);
    const auto t = w.train(p.parameters, batch, {p.labels, {}}, weights, *p.loss, all_signals, random,
                           gradient, p.direction);
    for (std::size_t i = 0; i < batch; ++i) {
      CHECK(t.gradient_norm[i] == doctest::Approx(i == 3 ? 0.0F : norms[i]).epsilon(1e-4));
      CHECK(std::abs(t.projection[i] - (i == 3 ? 0.0F : projections[i])) < 1e-3F * norms[i]);
    }
    // The gradient is not touched by asking.
    std::vector<float> plain(p.parameters.size());
    workspace other(p.net);
    p.fill(other, 0, batch);
    (void)other.train(p.parameters, batch, {p.labels, {}}, weights, *p.loss, 0, random, plain);
    CHECK(plain == gradient);
  }
}

TEST_CASE("gradients of single samples: without a direction there are norms and no projections") {
  problem p(networks[0].layers);
  p.direction.clear();
  workspace w(p.net);
  const auto s = p.measure(w, all_signals);
  CHECK(s.gradient_norm.size() == batch);
  CHECK(s.projection.empty());
  CHECK(s.last_projection.empty());
}

TEST_CASE("gradients of single samples: each signal alone is what it is among all, and allocates nothing") {
  for (const auto& d : networks) {
    CAPTURE(d.name);
    problem p(d.layers);
    workspace w(p.net);
    const auto s = p.measure(w, all_signals);
    const std::vector<float> last(s.last_projection.begin(), s.last_projection.end());
    const std::vector<float> projections(s.projection.begin(), s.projection.end());
    const allocation_count count;
    const auto only_last = p.measure(w, static_cast<signal_set>(signal::last_projection));
    CHECK(std::equal(last.begin(), last.end(), only_last.last_projection.begin()));
    CHECK(only_last.projection.empty());
    const auto only_full = p.measure(w, static_cast<signal_set>(signal::projection));
    CHECK(std::equal(projections.begin(), projections.end(), only_full.projection.begin()));
    CHECK(count.kept() == 0);
    CHECK(count.largest() < 4096); // what oneDNN's calls need for themselves
  }
}

TEST_CASE("gradients of single samples: layers without them are named") {
  CHECK(problem(R"({"type": "conv2d", "filters": 4}, "batch_norm")").net->missing_sample_gradients() ==
        "1: batch_norm");
  CHECK(problem(R"({"type": "residual", "layers": ["batch_norm"]})").net->missing_sample_gradients() ==
        "0: residual");
}

TEST_CASE("both forms of a convolution's norm agree, and the cheaper one is chosen") {
  rng random(8, 8);
  for (const convolution_geometry& g : {convolution_geometry{{1, 12, 12}, {8, 12, 12}, 1, 3, 1, 1, 1},
                                        convolution_geometry{{64, 4, 4}, {96, 2, 2}, 1, 3, 2, 1, 1},
                                        convolution_geometry{{8, 5, 6}, {12, 3, 4}, 2, 3, 1, 0, 0}}) {
    std::vector<float> x(static_cast<std::size_t>(g.in.size()));
    std::vector<float> d(static_cast<std::size_t>(g.out.size()));
    for (auto* v : {&x, &d})
      for (float& f : *v)
        f = static_cast<float>(random.normal());
    for (const bool bias : {false, true}) {
      sample_convolution direct(g, bias, norm_form::direct);
      sample_convolution gram(g, bias, norm_form::gram);
      CHECK(gram.squared_norm(x.data(), d.data()) ==
            doctest::Approx(direct.squared_norm(x.data(), d.data())).epsilon(1e-5));
    }
  }
  CHECK(cheaper_norm_form({{1, 28, 28}, {32, 28, 28}, 1, 3, 1, 1, 1}) == norm_form::direct);
  CHECK(cheaper_norm_form({{512, 4, 4}, {512, 4, 4}, 1, 3, 1, 1, 1}) == norm_form::gram);
}
