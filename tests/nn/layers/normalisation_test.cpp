#include "tests/nn/layers/layer_runner.hpp"

#include <cmath>
#include <functional>

using namespace triage;

namespace {

/// Which set a value of the batch belongs to: sets are brought to mean 0 and variance 1.
using set_of = std::function<std::size_t(std::size_t sample, std::size_t channel)>;

std::vector<double> normalised(const std::vector<float>& x, const sample_shape& shape, std::size_t sets,
                               const set_of& of) {
  const auto plane = static_cast<std::size_t>(shape.height * shape.width);
  const auto channels = static_cast<std::size_t>(shape.channels);
  std::vector<double> count(sets);
  std::vector<double> sum(sets);
  std::vector<double> square(sets);
  const auto set = [&](std::size_t i) { return of(i / plane / channels, i / plane % channels); };
  for (std::size_t i = 0; i < x.size(); ++i) {
    count[set(i)] += 1.0;
    sum[set(i)] += static_cast<double>(x[i]);
  }
  for (std::size_t i = 0; i < x.size(); ++i)
    square[set(i)] += std::pow(static_cast<double>(x[i]) - sum[set(i)] / count[set(i)], 2.0);
  std::vector<double> out;
  for (std::size_t i = 0; i < x.size(); ++i)
    out.push_back((static_cast<double>(x[i]) - sum[set(i)] / count[set(i)]) /
                  std::sqrt(square[set(i)] / count[set(i)] + 1e-5));
  return out;
}

void check_equal(const std::vector<float>& ours, const std::vector<double>& theirs) {
  REQUIRE(ours.size() == theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i)
    CHECK(static_cast<double>(ours[i]) == doctest::Approx(theirs[i]).epsilon(2e-5));
}

} // namespace

TEST_CASE("normalisations equal their definitions, on images and on vectors") {
  for (const sample_shape shape : {sample_shape{6, 5, 7}, sample_shape{6, 1, 1}, sample_shape{18, 4, 4}}) {
    CAPTURE(to_string(shape));
    const auto x = layer_runner::noise(static_cast<std::size_t>(5 * shape.size()), 1);
    const auto channels = static_cast<std::size_t>(shape.channels);
    check_equal(layer_runner(R"([{"type": "batch_norm"}])", shape).run(x, true),
                normalised(x, shape, channels, [](auto, auto c) { return c; }));
    check_equal(layer_runner(R"([{"type": "group_norm", "groups": 3}])", shape).run(x, true),
                normalised(x, shape, 15, [&](auto n, auto c) { return n * 3 + c / (channels / 3); }));
    check_equal(layer_runner(R"([{"type": "layer_norm"}])", shape).run(x, true),
                normalised(x, shape, 5, [](auto n, auto) { return n; }));
  }
}

TEST_CASE("weights and biases scale and shift each channel; layer_norm has one for each value") {
  const sample_shape shape{2, 1, 2};
  for (const auto* text :
       {R"([{"type": "batch_norm"}])", R"([{"type": "group_norm"}])", R"([{"type": "layer_norm"}])"}) {
    CAPTURE(text);
    layer_runner runner(text, shape);
    const std::vector<float> x{1, 2, 3, 9, 5, 4, -2, 0};
    const auto plain = runner.run(x, true);
    const auto weight = runner.tensor(runner.parameters, "weight");
    const auto bias = runner.tensor(runner.parameters, "bias");
    CHECK(weight.size() == (std::string_view(text).find("layer") != std::string_view::npos ? 4 : 2));
    const std::size_t values = weight.size() / 2; // values of one channel that have a weight of their own
    for (std::size_t i = 0; i < weight.size(); ++i) {
      weight[i] = i < values ? 2.0F : 3.0F;
      bias[i] = i < values ? 10.0F : 20.0F;
    }
    const auto changed = runner.run(x, true);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const bool first = i / 2 % 2 == 0;
      CHECK(std::abs(changed[i] - ((first ? 2.0F : 3.0F) * plain[i] + (first ? 10.0F : 20.0F))) < 1e-5F);
    }
  }
}

TEST_CASE("batch_norm reports the statistics of its batch and uses the running ones in inference") {
  layer_runner runner(R"([{"type": "batch_norm", "momentum": 0.3}])", {1, 1, 1});
  const std::vector<float> x{1, 2, 3, 6};
  runner.run(x, true, {1, 0, 0, 0});
  CHECK(runner.tensor(runner.gradient, "running_mean")[0] == 3.0F);
  CHECK(static_cast<double>(runner.tensor(runner.gradient, "running_var")[0]) ==
        doctest::Approx((4.0 + 1.0 + 0.0 + 9.0) / 3.0)); // unbiased
  for (const auto& t : runner.layout.tensors())
    CHECK(t.trained == !t.name.starts_with("0.running"));
  CHECK(runner.layout.tensors().back().averaging == 0.3);

  CHECK(static_cast<double>(runner.run(x, false)[3]) == doctest::Approx(6.0 / std::sqrt(1.0 + 1e-5)));
  runner.tensor(runner.parameters, "running_mean")[0] = 2.0F;
  runner.tensor(runner.parameters, "running_var")[0] = 4.0F;
  CHECK(static_cast<double>(runner.run(x, false)[3]) == doctest::Approx(2.0));
  CHECK(runner.run({6.0F}, false)[0] == runner.run(x, false)[3]); // whatever else is in the batch
}

TEST_CASE("sets without spread and batches of one give finite outputs and gradients") {
  for (const auto* text :
       {R"([{"type": "batch_norm"}])", R"([{"type": "group_norm"}])", R"([{"type": "layer_norm"}])"}) {
    CAPTURE(text);
    layer_runner runner(text, {3, 1, 1});
    for (const float v : runner.run({7.0F, 7.0F, 7.0F}, true, {1.0F, 2.0F, 3.0F}))
      CHECK(v == 0.0F);
    for (const float v : runner.dx)
      CHECK(std::isfinite(v));
    for (const float v : runner.gradient)
      CHECK(std::isfinite(v));
  }
}

TEST_CASE("batch_norm: a single value of a channel leaves the running statistics as they are") {
  layer_runner runner(R"([{"type": "batch_norm"}])", {2, 1, 1});
  for (const auto* name : {"running_mean", "running_var"}) {
    const auto values = runner.tensor(runner.parameters, name);
    values[0] = 3.0F;
    values[1] = 5.0F;
  }
  runner.run({7.0F, -4.0F}, true, {1.0F, 1.0F});
  for (const auto* name : {"running_mean", "running_var"}) {
    const auto reported = runner.tensor(runner.gradient, name); // which is averaged with what there is
    CHECK(reported[0] == 3.0F);
    CHECK(reported[1] == 5.0F);
  }
  layer_runner image(R"([{"type": "batch_norm"}])", {1, 1, 2}); // one sample of two values has a variance
  image.run({1.0F, 3.0F}, true, {1.0F, 0.0F});
  CHECK(image.tensor(image.gradient, "running_mean")[0] == 2.0F);
  CHECK(image.tensor(image.gradient, "running_var")[0] == 2.0F);
}

TEST_CASE("batch_norm needs several samples where its own planes have one value") {
  const auto needs = [](const char* text, const sample_shape& shape) {
    const layer_runner runner(text, shape);
    return std::any_of(runner.chain.begin(), runner.chain.end(),
                       [](const auto& l) { return l->needs_several_samples(); });
  };
  CHECK(needs(R"(["batch_norm"])", {4, 1, 1}));
  CHECK(!needs(R"(["batch_norm"])", {4, 2, 1}));
  CHECK(needs(R"(["flatten", {"type": "dense", "units": 3}, "batch_norm"])", {1, 4, 4}));
  CHECK(needs(R"([{"type": "residual", "layers": ["batch_norm"]}])", {4, 1, 1}));
  CHECK(needs(R"([{"type": "residual", "layers": ["relu"], "shortcut": ["batch_norm"]}])", {4, 1, 1}));
  CHECK(!needs(R"([{"type": "residual", "layers": ["batch_norm"]}])", {4, 3, 3}));
  CHECK(!needs(R"(["layer_norm", "relu"])", {4, 1, 1}));
}

TEST_CASE("the gradient of a normalised value does not change with the input's scale and offset") {
  // dy/dx of norm(a x + b) is 1/a times that of norm(x), when epsilon is small against the variance.
  for (const auto* text : {R"([{"type": "batch_norm", "epsilon": 1e-12}])",
                           R"([{"type": "group_norm", "groups": 2, "epsilon": 1e-12}])",
                           R"([{"type": "layer_norm", "epsilon": 1e-12}])"}) {
    CAPTURE(text);
    layer_runner runner(text, {4, 3, 3});
    const auto x = layer_runner::noise(4 * 36, 1);
    const auto dy = layer_runner::noise(4 * 36, 2);
    runner.run(x, true, dy);
    const auto at_once = runner.dx;
    std::vector<float> other;
    for (const float v : x)
      other.push_back(4.0F * v + 3.0F);
    runner.run(other, true, dy);
    for (std::size_t i = 0; i < x.size(); ++i)
      CHECK(std::abs(4.0F * runner.dx[i] - at_once[i]) < 2e-5F);
  }
}

TEST_CASE("groups that do not divide the channels are refused with both numbers") {
  const auto refused = make_layers(json_text(R"([{"type": "group_norm", "groups": 4}])"),
                                   {"run.json", "/model"}, {6, 5, 5}, {});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("4 groups do not divide 6 channels") != std::string::npos);
}
