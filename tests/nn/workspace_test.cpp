#include "nn/workspace.hpp"

#include "tests/support/allocation_count.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <limits>
#include <map>
#include <thread>
#include <vector>

using namespace triage;

namespace {

constexpr std::string_view mlp = R"([{"type": "dense", "units": 24, "activation": "relu"},
                                     {"type": "dense", "units": 7}])";
constexpr std::string_view cnn =
    R"([{"type": "conv2d", "filters": 20, "activation": "relu"}, "max_pool", "group_norm",
        {"type": "residual", "layers": [{"type": "conv2d", "filters": 20}, "gelu"]}, "avg_pool",
        {"type": "dense", "units": 32, "activation": "tanh"}, {"type": "dense", "units": 7}])";
constexpr std::string_view mixing =
    R"([{"type": "conv2d", "filters": 20}, "batch_norm", "relu", "dropout", {"type": "layer_norm"},
        {"type": "dense", "units": 7}])";
constexpr std::array models{mlp, cnn, mixing};
constexpr signal_set everything =
    (signal::loss | signal::residual_norm) | static_cast<signal_set>(signal::last_input_norm);

/// Half of the squared distance to the label's unit vector: its gradient is the difference, whatever the
/// size.
class distance_loss : public loss_function {
public:
  void evaluate(std::span<const float> outputs, std::int64_t width, const batch_targets& targets,
                std::span<float> loss, std::span<float> gradient) const override {
    const auto w = static_cast<std::size_t>(width);
    for (std::size_t i = 0; i < loss.size(); ++i) {
      loss[i] = 0.0F;
      for (std::size_t j = 0; j < w; ++j) {
        const float d =
            outputs[i * w + j] - (targets.labels[i] == static_cast<std::int32_t>(j) ? 1.0F : 0.0F);
        loss[i] += 0.5F * d * d;
        if (!gradient.empty())
          gradient[i * w + j] = d;
      }
    }
  }
  void to_prediction(std::span<float>, std::int64_t) const override {}
  [[nodiscard]] bool has_accuracy() const override { return false; }
  [[nodiscard]] bool is_correct(std::span<const float>, const batch_targets&, std::size_t) const override {
    return false;
  }
  [[nodiscard]] result<void> check(std::int64_t, std::int64_t, std::int64_t) const override { return {}; }
  [[nodiscard]] std::int64_t output_width(std::int64_t classes, std::int64_t) const override {
    return classes;
  }
};

/// A network with parameters, data, and one workspace.
struct bench {
  explicit bench(std::string_view model)
      : net(network::build(json_text(model), {"test.json", "/model"}, {2, 6, 6}, 7).take()), space(net),
        parameters(net->parameters().size()), gradient(parameters.size()) {
    net->parameters().initialise(parameters, 4);
  }

  void fill(workspace& w, std::int64_t batch) {
    rng random(8, static_cast<std::uint64_t>(1));
    for (float& v : w.input(batch))
      v = static_cast<float>(random.normal());
    labels.resize(static_cast<std::size_t>(batch));
    for (auto& l : labels)
      l = static_cast<std::int32_t>(random.below(7));
  }
  sample_signals train(workspace& w, std::int64_t batch, std::span<const float> weights = {}) {
    fill(w, batch);
    rng random(3, rng_purpose::dropout);
    return w.train(parameters, batch, {labels, {}}, weights, loss, everything, random, gradient);
  }
  sample_signals train(std::int64_t batch, std::span<const float> weights = {}) {
    return train(space, batch, weights);
  }

  std::shared_ptr<const network> net;
  workspace space;
  std::vector<float> parameters;
  std::vector<float> gradient;
  std::vector<std::int32_t> labels;
  distance_loss loss;
};

std::vector<float> copy(std::span<const float> v) {
  return {v.begin(), v.end()};
}

double norm(std::span<const float> v) {
  double sum = 0.0;
  for (const float x : v)
    sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum);
}

double distance(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  std::vector<float> d(a.size());
  std::transform(a.begin(), a.end(), b.begin(), d.begin(), [](float x, float y) { return x - y; });
  return norm(d);
}

std::size_t threads_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

} // namespace

TEST_CASE("the trained direction lowers the mean weighted loss as much as the gradient says") {
  for (const auto model : {mlp, cnn}) {
    CAPTURE(model);
    bench b(model);
    const std::vector<float> weights{0.5F, 2.0F, 0.0F, 1.0F, 3.0F};
    const auto mean = [&] {
      const auto s = b.train(5, weights);
      double sum = 0.0;
      for (std::size_t i = 0; i < 5; ++i)
        sum += static_cast<double>(weights[i]) * static_cast<double>(s.loss[i]) / 5.0;
      return sum;
    };
    mean();
    const auto gradient = b.gradient;
    const auto start = b.parameters;
    const double step = 1e-2 / norm(gradient);
    const auto at = [&](double t) {
      for (std::size_t i = 0; i < start.size(); ++i)
        b.parameters[i] = start[i] - static_cast<float>(t * static_cast<double>(gradient[i]));
      return mean();
    };
    const double fall = (at(-step) - at(step)) / (2.0 * step);
    CHECK(std::abs(fall / std::pow(norm(gradient), 2) - 1.0) < 5e-3);
  }
}

TEST_CASE("weights multiply gradients, not signals") {
  bench b(cnn);
  auto s = b.train(4);
  const auto loss = copy(s.loss);
  const auto residual = copy(s.residual_norm);
  const auto hidden = copy(s.last_input_norm);
  const auto gradient = b.gradient;
  s = b.train(4, std::vector<float>{2.0F, 2.0F, 2.0F, 2.0F});
  CHECK(copy(s.loss) == loss);
  CHECK(copy(s.residual_norm) == residual);
  CHECK(copy(s.last_input_norm) == hidden);
  for (std::size_t i = 0; i < gradient.size(); ++i)
    CHECK(b.gradient[i] == 2.0F * gradient[i]);
  b.train(4, std::vector<float>{0.0F, 0.0F, 0.0F, 0.0F});
  CHECK(norm(b.gradient) == 0.0);
}

TEST_CASE("signals are the norms they say, and empty when nobody asked") {
  bench b(mlp);
  const auto s = b.train(6);
  // The hidden layer alone, as a network of its own with the same first tensors.
  const auto hidden = network::build(json_text(R"([{"type": "dense", "units": 24, "activation": "relu"}])"),
                                     {"", ""}, {2, 6, 6}, 24)
                          .take();
  std::vector<float> parameters(hidden->parameters().size());
  for (std::size_t i = 0; i < 2; ++i)
    hidden->parameters().write(parameters, i, b.net->parameters().read(b.parameters, i));
  workspace w(hidden);
  b.fill(w, 6);
  const auto h = w.infer(parameters, 6);
  const auto z = b.space.outputs();
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(static_cast<double>(s.last_input_norm[i]) == doctest::Approx(norm(h.subspan(i * 24, 24))));
    auto row = copy(z.subspan(i * 7, 7));
    row[static_cast<std::size_t>(b.labels[i])] -= 1.0F;
    CHECK(static_cast<double>(s.residual_norm[i]) == doctest::Approx(norm(row)));
    CHECK(static_cast<double>(s.loss[i]) == doctest::Approx(0.5 * std::pow(norm(row), 2)));
  }
  b.fill(b.space, 6);
  const auto few =
      b.space.measure(b.parameters, 6, {b.labels, {}}, b.loss, static_cast<signal_set>(signal::loss));
  CHECK(few.loss.size() == 6);
  CHECK(few.residual_norm.empty());
  CHECK(few.last_input_norm.empty());
}

TEST_CASE("measuring gives the signals of training, where training mode is no different") {
  for (const auto model : {mlp, cnn}) {
    CAPTURE(model);
    bench b(model);
    const auto s = b.train(9);
    const std::array trained{copy(s.loss), copy(s.residual_norm), copy(s.last_input_norm)};
    const auto outputs = copy(b.space.outputs());
    b.fill(b.space, 9);
    const auto m = b.space.measure(b.parameters, 9, {b.labels, {}}, b.loss, everything);
    const std::array measured{copy(m.loss), copy(m.residual_norm), copy(m.last_input_norm)};
    for (std::size_t i = 0; i < trained.size(); ++i)
      CHECK(distance(trained.at(i), measured.at(i)) <= 1e-5 * norm(trained.at(i)));
    CHECK(distance(b.space.outputs(), outputs) <= 1e-5 * norm(outputs));
    CHECK(distance(b.space.infer(b.parameters, 9), outputs) <= 1e-5 * norm(outputs));
  }
}

TEST_CASE("a workspace that has seen other sizes computes what a new one computes") {
  for (const auto model : models) {
    CAPTURE(model);
    bench b(model);
    std::map<std::int64_t, std::vector<float>> first;
    for (const std::int64_t batch : {4, 1, 33, 4, 33, 1, 4}) {
      CAPTURE(batch);
      b.train(batch);
      const auto gradient = b.gradient;
      b.fill(b.space, batch);
      b.space.infer(b.parameters, batch);
      workspace fresh(b.net);
      b.train(fresh, batch);
      CHECK(gradient == b.gradient);
      const auto [at, is_new] = first.try_emplace(batch, gradient);
      CHECK(at->second == gradient);
    }
  }
}

TEST_CASE("the whole gradient block is written: tensors, statistics, and zeros between them") {
  for (const auto model : models) {
    CAPTURE(model);
    bench b(model);
    b.train(3);
    const auto expected = b.gradient;
    std::fill(b.gradient.begin(), b.gradient.end(), std::numeric_limits<float>::quiet_NaN());
    b.train(3);
    CHECK(b.gradient == expected);
    auto cleared = expected;
    b.net->parameters().clear_gaps(cleared);
    CHECK(cleared == expected);
  }
}

TEST_CASE("after the first pass of a batch size nothing large is allocated and nothing stays") {
  for (const auto model : models) {
    CAPTURE(model);
    bench b(model);
    const auto passes = [&] {
      for (const std::int64_t batch : {16, 5}) {
        b.train(batch);
        b.fill(b.space, batch);
        b.space.measure(b.parameters, batch, {b.labels, {}}, b.loss, everything);
      }
    };
    passes();
    passes();
    const auto bytes = b.space.bytes();
    CHECK(bytes > 16 * 72 * sizeof(float));
    const allocation_count before;
    for (int i = 0; i < 20; ++i)
      passes();
    // oneDNN makes a small map of arguments for each kernel it runs, and frees it again.
    CHECK(before.largest() <= 1024);
    CHECK(before.kept() == 0);
    CHECK(b.space.bytes() == bytes);
  }
}

TEST_CASE("batch sizes and ways of using them share one block, which can be given back") {
  for (const auto model : models) {
    CAPTURE(model);
    bench b(model);
    b.train(16);
    const auto expected = b.gradient;
    const auto bytes = b.space.bytes();
    const auto passes = [&] {
      for (const std::int64_t batch : {16, 5, 11}) {
        b.train(batch);
        b.fill(b.space, batch);
        b.space.infer(b.parameters, batch);
      }
    };
    passes();
    constexpr std::size_t outputs = 7; // of the scoring passes
    CHECK(b.space.bytes() <= bytes + (16 + 5 + 11) * outputs * sizeof(float));
    b.space.give_back_memory();
    CHECK(b.space.bytes() <= (16 + 5 + 11) * outputs * sizeof(float));
    passes();
    b.train(16);
    CHECK(b.gradient == expected);
  }
}

TEST_CASE("a moved workspace goes on") {
  bench b(cnn);
  b.train(5);
  const auto gradient = b.gradient;
  workspace other(std::move(b.space));
  b.train(other, 5);
  CHECK(b.gradient == gradient);
  b.space = workspace(b.net);
  CHECK(b.space.outputs().empty());
  b.train(5);
  CHECK(b.gradient == gradient);
}

TEST_CASE("workspaces on threads of their own share a network, and start no threads") {
  bench reference(cnn);
  reference.train(8);
  std::array<std::vector<float>, 2> gradients;
  std::array<std::size_t, 2> started{};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < gradients.size(); ++t)
    threads.emplace_back([&, t] {
      workspace w(reference.net);
      rng random(3, rng_purpose::dropout);
      std::vector<float> gradient(reference.parameters.size());
      for (int i = 0; i < 5; ++i) {
        rng data(8, static_cast<std::uint64_t>(1));
        for (float& v : w.input(8))
          v = static_cast<float>(data.normal());
        w.train(reference.parameters, 8, {reference.labels, {}}, {}, reference.loss, everything, random,
                gradient);
      }
      started.at(t) = threads_of_process();
      gradients.at(t) = gradient;
    });
  for (auto& t : threads)
    t.join();
  for (std::size_t t = 0; t < gradients.size(); ++t) {
    CHECK(gradients.at(t) == reference.gradient);
    CHECK(started.at(t) <= threads_of_process() + 2);
  }
}

TEST_CASE("broken numbers behind the last activation reach the loss, the signals and the gradient") {
  for (const float broken :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    bench b(mlp);
    const auto& last = b.net->parameters().tensors().back();
    b.parameters[last.offset] = broken;
    const auto s = b.train(3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK_FALSE(std::isfinite(s.loss[i]));
      CHECK_FALSE(std::isfinite(s.residual_norm[i]));
      CHECK(std::isfinite(s.last_input_norm[i]));
    }
    CHECK_FALSE(std::isfinite(norm(b.gradient)));
  }
}
