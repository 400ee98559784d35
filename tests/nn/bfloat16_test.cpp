#include "nn/loss.hpp"
#include "nn/workspace.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <doctest/doctest.h>
#include <vector>

using namespace triage;

namespace {

constexpr sample_shape images{16, 8, 8};
constexpr std::int64_t classes = 7;
constexpr std::array models{
    std::string_view(
        R"([{"type": "dense", "units": 96, "activation": "relu"}, {"type": "dense", "units": 7}])"),
    std::string_view(
        R"([{"type": "dense", "units": 33, "bias": false}, "gelu", {"type": "dense", "units": 7}])"),
    std::string_view(R"([{"type": "conv2d", "filters": 32, "activation": "relu"}, "max_pool",
                         {"type": "conv2d", "filters": 20, "stride": 2}, "relu", {"type": "dense", "units": 7}])"),
    std::string_view(R"([{"type": "conv2d", "filters": 16}, "group_norm", "relu",
                         {"type": "residual", "layers": [{"type": "conv2d", "filters": 32, "bias": false}, "relu",
                                                         {"type": "conv2d", "filters": 16}],
                          "shortcut": [{"type": "conv2d", "filters": 16, "kernel": 1}]},
                         "global_avg_pool", {"type": "dense", "units": 7}])"),
    std::string_view(
        R"([{"type": "conv2d", "filters": 16, "groups": 4}, "relu", {"type": "dense", "units": 7}])")};

float as_bfloat16(float v) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(v) & 0xFFFF0000U);
}

/// A network with one batch, whose gradient can be had in either precision.
struct subject {
  explicit subject(std::string_view model, std::int64_t size = 24) : batch(size) {
    auto made = network::build(json_text(model), {"test.json", "/model"}, images, classes);
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
    net = made.take();
    parameters.resize(net->parameters().size());
    net->parameters().initialise(parameters, 4);
    auto loss_made = make_loss(json_value("softmax_cross_entropy"), {"test.json", "/loss"});
    REQUIRE(loss_made.ok());
    loss = loss_made.take();
    rng random(8, std::uint64_t{1});
    input.resize(static_cast<std::size_t>(batch * images.size()));
    for (float& v : input)
      v = static_cast<float>(random.normal());
    // Numbers that rounding leaves alone: else units close to zero change sides, and a relu makes that a
    // large difference, which says nothing about the kernels.
    for (auto* values : {&parameters, &input})
      std::transform(values->begin(), values->end(), values->begin(), as_bfloat16);
    for (std::int64_t i = 0; i < batch; ++i)
      labels.push_back(static_cast<std::int32_t>(random.below(classes)));
  }
  std::vector<float> gradient(precision p) const {
    workspace w(net, p);
    return gradient(w);
  }
  std::vector<float> gradient(workspace& w) const {
    std::vector<float> out(parameters.size());
    std::copy(input.begin(), input.end(), w.input(batch).begin());
    rng random(3, rng_purpose::dropout);
    (void)w.train(parameters, batch, {labels, {}}, {}, *loss, static_cast<signal_set>(signal::loss), random,
                  out);
    return out;
  }
  std::vector<float> outputs(precision p) const {
    workspace w(net, p);
    std::copy(input.begin(), input.end(), w.input(batch).begin());
    const auto rows = w.infer(parameters, batch);
    return {rows.begin(), rows.end()};
  }

  std::int64_t batch;
  std::shared_ptr<const network> net;
  std::unique_ptr<loss_function> loss;
  std::vector<float> parameters;
  std::vector<float> input;
  std::vector<std::int32_t> labels;
};

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

bool skipped() {
  if (has_bfloat16())
    return false;
  MESSAGE("not tested: this processor has no bfloat16 arithmetic");
  return true;
}

} // namespace

TEST_CASE("bfloat16: gradients are those of floats but for the rounding of what is multiplied") {
  if (skipped())
    return;
  for (const auto model : models) {
    CAPTURE(model);
    const subject s(model);
    const auto exact = s.gradient(precision::float32);
    const auto rounded = s.gradient(precision::bfloat16);
    CHECK(exact != rounded); // it was used
    const double size = dot(exact, exact);
    CHECK(dot(exact, rounded) / std::sqrt(size * dot(rounded, rounded)) > 0.9995);
    std::vector<float> difference(exact.size());
    std::transform(exact.begin(), exact.end(), rounded.begin(), difference.begin(), std::minus<>());
    CHECK(std::sqrt(dot(difference, difference) / size) <
          0.05); // relus of the second layer that change sides are most of it
  }
}

TEST_CASE("bfloat16: the layers inside a residual block use it too") {
  if (skipped())
    return;
  // All its weights are inside.
  const subject s(R"([{"type": "residual", "layers": [{"type": "conv2d", "filters": 7}],
                       "shortcut": [{"type": "conv2d", "filters": 7, "kernel": 1}]}, "global_avg_pool"])");
  const auto exact = s.gradient(precision::float32);
  const auto rounded = s.gradient(precision::bfloat16);
  for (const auto& tensor : s.net->parameters().tensors()) {
    CAPTURE(tensor.name);
    if (!tensor.name.ends_with("weight"))
      continue;
    const auto from = static_cast<std::ptrdiff_t>(tensor.offset);
    CHECK_FALSE(std::equal(exact.begin() + from, exact.begin() + from + 7, rounded.begin() + from));
  }
}

TEST_CASE("bfloat16: the same bits each time, in a new workspace and in a used one") {
  if (skipped())
    return;
  for (const auto model : models) {
    CAPTURE(model);
    const subject s(model);
    const auto first = s.gradient(precision::bfloat16);
    CHECK(s.gradient(precision::bfloat16) == first);
    workspace used(s.net, precision::bfloat16);
    (void)subject(model, 5).gradient(used);
    CHECK(s.gradient(used) == first);
  }
}

TEST_CASE("bfloat16: inference is not rounded") {
  for (const auto model : models) {
    CAPTURE(model);
    const subject s(model);
    CHECK(s.outputs(precision::bfloat16) == s.outputs(precision::float32));
  }
}

TEST_CASE("bfloat16: gradient norms of single samples keep their meaning") {
  if (skipped())
    return;
  for (const auto model : {models[0], models[2]}) {
    CAPTURE(model);
    const subject s(model);
    const auto norms = [&](precision p) {
      workspace w(s.net, p);
      std::copy(s.input.begin(), s.input.end(), w.input(s.batch).begin());
      const auto signals = w.measure_gradients(s.parameters, s.batch, {s.labels, {}}, *s.loss,
                                               static_cast<signal_set>(signal::gradient_norm), {}, {});
      return std::vector<float>(signals.gradient_norm.begin(), signals.gradient_norm.end());
    };
    const auto exact = norms(precision::float32);
    const auto rounded = norms(precision::bfloat16);
    REQUIRE(exact.size() == static_cast<std::size_t>(s.batch));
    for (std::size_t i = 0; i < exact.size(); ++i)
      CHECK(rounded[i] == doctest::Approx(exact[i]).epsilon(0.03));
  }
}

TEST_CASE("bfloat16: steps along its gradients lower the loss as those of floats do") {
  if (skipped())
    return;
  const auto loss_after = [](precision p) {
    subject s(models[2]);
    workspace w(s.net, p);
    for (int step = 0; step < 60; ++step) {
      const auto g = s.gradient(w);
      for (std::size_t i = 0; i < g.size(); ++i)
        s.parameters[i] -= 0.05F * g[i];
    }
    std::copy(s.input.begin(), s.input.end(), w.input(s.batch).begin());
    const auto signals =
        w.measure(s.parameters, s.batch, {s.labels, {}}, *s.loss, static_cast<signal_set>(signal::loss));
    double sum = 0.0;
    for (const float l : signals.loss)
      sum += static_cast<double>(l);
    return sum / static_cast<double>(s.batch);
  };
  const double exact = loss_after(precision::float32);
  CHECK(exact < 0.7);
  CHECK(loss_after(precision::bfloat16) == doctest::Approx(exact).epsilon(0.05));
}
