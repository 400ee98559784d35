#include "tests/nn/layers/every_layer.hpp"

#include <cmath>
#include <limits>
#include <string>

// What every layer promises, over the whole table: a new layer is tested as soon as it has a line there.

using namespace triage;

namespace {

std::vector<float> values(std::size_t n, std::uint64_t stream) {
  rng random(17, stream);
  std::vector<float> v(n);
  for (float& x : v)
    x = static_cast<float>(random.normal());
  return v;
}

/// One compiled chain with its ends, for many passes over the same batch.
struct compiled {
  compiled(layer_runner& r, std::int64_t batch, bool training, bool input_gradient)
      : runner(r), training_(training), x(values(static_cast<std::size_t>(batch * r.input_shape.size()), 1)),
        dx(x.size(), std::numeric_limits<float>::quiet_NaN()),
        stages(r.chain,
               {engine, batch, tensor_layout::plain(batch, r.input_shape), training, input_gradient}),
        dy(values(static_cast<std::size_t>(batch * r.chain.back()->output_shape().size()), 2)) {
    stages.bind(x.data(), input_gradient ? dx.data() : nullptr);
  }

  pass now() {
    random = rng(5, rng_purpose::dropout); // the same dropout mask in every pass
    return {runner.parameters, training_ ? std::span<float>(runner.gradient) : std::span<float>{}, training_,
            training_ ? &random : nullptr};
  }
  std::span<const float> forward() {
    stages.forward(now());
    return {stages.output(), dy.size()};
  }
  /// sum of dy * y: the function whose gradient `backward` finds.
  double objective() {
    const auto y = forward();
    double sum = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i)
      sum += static_cast<double>(y[i]) * static_cast<double>(dy[i]);
    return sum;
  }
  void backward() {
    const auto p = now();
    stages.forward(p);
    // Null where there is nothing to train and nobody wants the gradient of the input.
    if (stages.output_gradient() == nullptr)
      return;
    std::copy(dy.begin(), dy.end(), stages.output_gradient());
    stages.backward(p);
  }

  layer_runner& runner;
  bool training_;
  std::vector<float> x;
  std::vector<float> dx;
  kernel_engine engine;
  stage_chain stages;
  std::vector<float> dy;
  rng random;
};

/// Compares a gradient with differences of the objective. Where the differences to both sides disagree there
/// is a kink (ReLU, maximum) within the step, and no derivative to compare with.
struct difference_check {
  compiled& run;
  int compared = 0;
  int kinks = 0;

  void compare(std::span<float> at, std::span<const float> gradient, std::size_t most) {
    double scale = 1.0; // below, rounding of the objective is all there is
    for (const float g : gradient)
      scale = std::max(scale, std::abs(static_cast<double>(g)));
    const double allowed = 3e-3 * scale;
    constexpr float step =
        1.0F / 4096.0F; // a bias moves thousands of relus: a longer one crosses kinks on both sides
    const double here = run.objective();
    const std::size_t stride = std::max<std::size_t>(at.size() / most, 1);
    for (std::size_t i = 0; i < at.size(); i += stride) {
      const float kept = at[i];
      const auto slope = [&](float moved) {
        at[i] = moved;
        const double there = run.objective();
        at[i] = kept;
        return (there - here) / (static_cast<double>(moved) - static_cast<double>(kept));
      };
      const double right = slope(kept + step);
      const double left = slope(kept - step);
      if (std::abs(right - left) > allowed) {
        ++kinks;
        continue;
      }
      ++compared;
      CAPTURE(i);
      CHECK(std::abs(0.5 * (right + left) - static_cast<double>(gradient[i])) < allowed);
    }
  }
};

/// Samples of one batch influence each other, or a random stream runs through the batch.
bool mixes_samples(const layer_runner& runner) {
  for (const auto& l : runner.chain)
    if (l->type() == "batch_norm" || l->type() == "dropout")
      return true;
  return false;
}

double largest(std::span<const float> v) {
  double most = 1e-6;
  for (const float x : v)
    most = std::max(most, std::abs(static_cast<double>(x)));
  return most;
}

void check_close(std::span<const float> a, std::span<const float> b, double tolerance = 1e-5) {
  REQUIRE(a.size() == b.size());
  const double allowed = tolerance * largest(b);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    wrong += std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) <= allowed ? 0 : 1;
  CHECK(wrong == 0);
}

} // namespace

TEST_CASE("gradients of layers equal finite differences") {
  for_every_layer([](layer_runner& runner) {
    compiled run(runner, 4, true, true);
    run.backward();
    const auto dx = run.dx;
    const auto gradient = runner.gradient;
    difference_check check{run};
    check.compare(run.x, dx, 30);
    for (const auto& t : runner.layout.tensors())
      if (t.trained) {
        CAPTURE(t.name);
        check.compare(std::span(runner.parameters).subspan(t.offset, t.size),
                      std::span(gradient).subspan(t.offset, t.size), 12);
      }
    CHECK(check.compared > 2 * check.kinks);
  });
}

TEST_CASE("a sample's output does not depend on the rest of the batch") {
  for_every_layer([](layer_runner& runner) {
    compiled all(runner, 5, false, false);
    const auto y = all.forward();
    compiled one(runner, 1, false, false);
    for (std::size_t i = 0; i < 5; ++i) {
      std::copy_n(all.x.begin() + static_cast<std::ptrdiff_t>(i * one.x.size()), one.x.size(), one.x.begin());
      check_close(one.forward(), y.subspan(i * one.dy.size(), one.dy.size()));
    }
  });
}

TEST_CASE("gradients of a batch are the sums over its samples") {
  for_every_layer([](layer_runner& runner) {
    if (mixes_samples(runner))
      return;
    compiled all(runner, 5, true, true);
    all.backward();
    const auto gradient = runner.gradient;
    std::vector<float> sum(gradient.size());
    compiled one(runner, 1, true, true);
    for (std::size_t i = 0; i < 5; ++i) {
      const auto x = std::span(all.x).subspan(i * one.x.size(), one.x.size());
      const auto dy = std::span(all.dy).subspan(i * one.dy.size(), one.dy.size());
      std::copy(x.begin(), x.end(), one.x.begin());
      std::copy(dy.begin(), dy.end(), one.dy.begin());
      one.backward();
      check_close(one.dx, std::span(all.dx).subspan(i * one.x.size(), one.x.size()), 2e-5);
      for (std::size_t k = 0; k < sum.size(); ++k)
        sum[k] += runner.gradient[k];
    }
    check_close(sum, gradient, 2e-5);
  });
}

TEST_CASE("backward overwrites the layer's own tensors, all of them, and nothing else") {
  for_every_layer([](layer_runner& runner) {
    compiled run(runner, 3, true, true);
    run.backward();
    const auto expected = runner.gradient;
    const auto dx = run.dx;
    std::fill(runner.gradient.begin(), runner.gradient.end(), std::numeric_limits<float>::quiet_NaN());
    run.backward();
    CHECK(run.dx == dx);
    std::vector<bool> owned(runner.gradient.size());
    for (const auto& t : runner.layout.tensors())
      std::fill_n(owned.begin() + static_cast<std::ptrdiff_t>(t.offset), t.size, true);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < owned.size(); ++i)
      wrong +=
          owned[i] ? (runner.gradient[i] == expected[i] ? 0 : 1) : (std::isnan(runner.gradient[i]) ? 0 : 1);
    CHECK(wrong == 0);
  });
}

TEST_CASE("an input gradient that nobody wants changes nothing in those of the parameters") {
  for_every_layer([](layer_runner& runner) {
    compiled with(runner, 3, true, true);
    with.backward();
    const auto expected = runner.gradient;
    compiled without(runner, 3, true, false);
    without.backward();
    check_close(runner.gradient, expected);
    for (const float v : without.dx)
      CHECK(std::isnan(v)); // never written
  });
}

TEST_CASE("inputs without any spread give finite outputs and gradients") {
  for_every_layer([](layer_runner& runner) {
    for (const float value : {0.0F, 3.0F}) {
      compiled run(runner, 2, true, true);
      std::fill(run.x.begin(), run.x.end(), value);
      run.backward();
      const auto y = std::span<const float>(run.stages.output(), run.dy.size());
      for (const auto part : {y, std::span<const float>(run.dx), std::span<const float>(runner.gradient)})
        CHECK(std::all_of(part.begin(), part.end(), [](float v) { return std::isfinite(v); }));
    }
  });
}

TEST_CASE("a layer's description rebuilds it") {
  for_every_layer([](layer_runner& runner) {
    json_value::array descriptions;
    for (const auto& l : runner.chain)
      descriptions.push_back(l->describe());
    const std::string text = dump_json(json_value(descriptions));
    CAPTURE(text);
    layer_runner again(text, runner.input_shape);
    json_value::array second;
    for (const auto& l : again.chain)
      second.push_back(l->describe());
    CHECK(dump_json(json_value(second)) == text);
    REQUIRE(again.layout.tensors().size() == runner.layout.tensors().size());
    for (std::size_t i = 0; i < again.layout.tensors().size(); ++i) {
      CHECK(again.layout[i].name == runner.layout[i].name);
      CHECK(again.layout[i].shape == runner.layout[i].shape);
    }
    CHECK(again.parameters == runner.parameters);
    const auto x = values(static_cast<std::size_t>(2 * runner.input_shape.size()), 3);
    CHECK(again.run(x, false) == runner.run(x, false));
  });
}

TEST_CASE("layers keep to their table line: type, documentation, costs, parameters") {
  for (const auto& entry : layers()) {
    CAPTURE(entry.name);
    CHECK(entry.make()->type() == entry.name);
    CHECK_FALSE(entry.summary.empty());
    const auto made = entry.make();
    for (const auto& row : describe_options([&](option_visitor& v) { made->visit(v); })) {
      CAPTURE(row.name);
      CHECK_FALSE(row.doc.empty());
    }
  }
  for_every_layer([](layer_runner& runner) {
    const bool any = std::any_of(runner.chain.begin(), runner.chain.end(),
                                 [](const auto& l) { return l->has_parameters(); });
    CHECK(any == (runner.layout.trained_size() > 0));
    for (const auto& l : runner.chain) {
      CHECK(l->flops() >= 0.0);
      if (l->has_parameters() && l->type() != "synthetic_wait") // whose parameters only travel
        CHECK(l->flops() > 0.0);
    }
  });
}
