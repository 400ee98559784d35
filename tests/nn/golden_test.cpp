#include "nn/loss.hpp"
#include "nn/network.hpp"
#include "nn/optimizer.hpp"
#include "nn/workspace.hpp"

#include "core/json.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <string>
#include <vector>

// Compares whole networks with PyTorch: tests/golden/generate.py wrote the numbers, in double precision, from
// layers, autograd and optimizers that share nothing with ours.

using namespace triage;

namespace {

const json_value& at(const json_value& object, std::string_view name) {
  const json_value* v = object.find(name);
  REQUIRE_MESSAGE(v != nullptr, name);
  return *v;
}

std::vector<float> floats(const json_value& array) {
  std::vector<float> out;
  for (const auto& v : array.as_array())
    out.push_back(static_cast<float>(v.as_number()));
  return out;
}

/// Norm-wise within 1e-4, and each element within 1e-4 of itself or 1e-5 of the largest. `floor` is an
/// absolute error that does not matter: a bias in front of a batch_norm has gradient 0, and rounding around
/// it.
void check_close(std::span<const float> ours, std::span<const float> theirs, double floor = 0.0) {
  REQUIRE(ours.size() == theirs.size());
  double difference = 0.0;
  double norm = 0.0;
  double largest = 0.0;
  for (const float v : theirs)
    largest = std::max(largest, std::abs(static_cast<double>(v)));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const auto a = static_cast<double>(ours[i]);
    const auto b = static_cast<double>(theirs[i]);
    difference += (a - b) * (a - b);
    norm += b * b;
    if (!(std::abs(a - b) <= 1e-4 * std::abs(b) + 1e-5 * largest + floor))
      ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(std::sqrt(difference) <=
        1e-4 * std::sqrt(norm) + floor * std::sqrt(static_cast<double>(ours.size())));
}

/// One stored case, with everything needed to run it here.
struct golden_case {
  explicit golden_case(const std::string& name) {
    auto read = read_json_file(TRIAGE_SOURCE_DIR "/tests/golden/" + name + ".json");
    REQUIRE(read.ok());
    data = read.take();
    const auto& shape = at(data, "input_shape").as_array();
    const sample_shape input{shape[0].as_integer(), shape[1].as_integer(), shape[2].as_integer()};
    auto built = network::build(at(data, "model"), {name, "/model"}, input, at(data, "outputs").as_integer());
    REQUIRE_MESSAGE(built.ok(), (built.ok() ? "" : built.error().message));
    net = built.take();
    loss = make_loss(at(data, "loss"), {name, "/loss"}).take();
    rule = make_optimizer(at(data, "optimizer"), {name, "/optimizer"}).take();
    batch = at(data, "batch").as_integer();
    weights = floats(at(data, "weights"));
    if (loss->check(at(data, "outputs").as_integer(), 0, at(data, "outputs").as_integer()).ok())
      for (const auto& label : at(data, "targets").as_array())
        labels.push_back(static_cast<std::int32_t>(label.as_integer()));
    else
      values = floats(at(data, "targets"));
    load_parameters();
  }

  void load_parameters() {
    const auto& layout = net->parameters();
    parameters.assign(layout.size(), 0.0F);
    const auto& stored = at(data, "parameters");
    REQUIRE(stored.as_object().size() == layout.tensors().size());
    for (std::size_t i = 0; i < layout.tensors().size(); ++i) {
      const auto& tensor = at(stored, layout[i].name);
      json_value::array shape(layout[i].shape.begin(), layout[i].shape.end());
      CHECK(dump_json(at(tensor, "shape")) == dump_json(json_value(std::move(shape))));
      layout.write(parameters, i, floats(at(tensor, "values")));
    }
  }

  void fill_input(workspace& w) const {
    const auto inputs = floats(at(data, "inputs"));
    std::copy(inputs.begin(), inputs.end(), w.input(batch).begin());
  }

  sample_signals train(workspace& w, std::span<float> gradient) const {
    rng random(1, 0);
    return w.train(parameters, batch, {.labels = labels, .values = values}, weights, *loss,
                   signal::loss | signal::residual_norm, random, gradient);
  }

  [[nodiscard]] double mean_loss(std::span<const float> losses) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < losses.size(); ++i)
      sum += static_cast<double>(weights[i]) * static_cast<double>(losses[i]);
    return sum / static_cast<double>(batch);
  }

  json_value data;
  std::shared_ptr<const network> net;
  std::unique_ptr<loss_function> loss;
  std::unique_ptr<optimizer> rule;
  std::int64_t batch = 0;
  std::vector<float> parameters;
  std::vector<float> weights;
  std::vector<std::int32_t> labels;
  std::vector<float> values;
};

template <class Check>
void for_every_case(const Check& check) {
  for (const std::string name : {"mlp_sgd", "mlp_adam_weighted", "cnn_adamw", "residual_norms_sgd",
                                 "regression_rmsprop", "binary_sgd"}) {
    CAPTURE(name);
    golden_case c(name);
    check(c);
  }
}

} // namespace

TEST_CASE("outputs, losses, signals and every gradient equal PyTorch's") {
  for_every_case([](golden_case& c) {
    workspace w(c.net);
    c.fill_input(w);
    std::vector<float> gradient(c.net->parameters().size(), std::nanf(""));
    const auto signals = c.train(w, gradient);
    check_close(signals.loss, floats(at(c.data, "sample_losses")));
    check_close(signals.residual_norm, floats(at(c.data, "residual_norms")));
    check_close(w.outputs(), floats(at(c.data, "logits")));
    const auto& layout = c.net->parameters();
    const double floor = 1e-6 * gradient_norm(std::span(gradient).first(layout.trained_size()));
    std::size_t compared = 0;
    for (std::size_t i = 0; i < layout.tensors().size(); ++i)
      if (layout[i].trained) {
        CAPTURE(layout[i].name);
        check_close(layout.read(gradient, i),
                    floats(at(at(at(c.data, "gradients"), layout[i].name), "values")), floor);
        ++compared;
      }
    CHECK(compared == at(c.data, "gradients").as_object().size());
  });
}

TEST_CASE("ten optimizer steps give PyTorch's losses, and then its outputs in inference") {
  for_every_case([](golden_case& c) {
    workspace w(c.net);
    const auto& layout = c.net->parameters();
    const std::size_t trained = layout.trained_size();
    std::vector<std::vector<float>> moments(c.rule->moments().size(), std::vector<float>(trained));
    std::vector<float> gradient(layout.size());
    std::int64_t step = 0;
    for (const auto& expected : at(c.data, "losses").as_array()) {
      CAPTURE(step);
      c.fill_input(w);
      CHECK(c.mean_loss(c.train(w, gradient).loss) == doctest::Approx(expected.as_number()).epsilon(1e-4));
      ++step;
      for (const auto& range : layout.decay_ranges()) {
        const auto slice = [&](std::vector<float>& v) {
          return std::span(v).subspan(range.begin, range.end - range.begin);
        };
        std::vector<std::span<float>> spans;
        for (auto& m : moments)
          spans.push_back(slice(m));
        c.rule->apply({.parameters = slice(c.parameters),
                       .next = slice(c.parameters),
                       .gradient = slice(gradient),
                       .gradient_scale = 1.0F,
                       .moments = spans,
                       .decays = range.decays,
                       .learning_rate = c.rule->learning_rate(),
                       .step = step});
      }
      for (const auto& t : layout.tensors())
        for (std::size_t i = t.offset; !t.trained && i < t.offset + t.size; ++i)
          c.parameters[i] += static_cast<float>(t.averaging) * (gradient[i] - c.parameters[i]);
    }
    CHECK(step == 10);
    c.fill_input(w);
    check_close(w.infer(c.parameters, c.batch), floats(at(c.data, "final_logits")), 1e-5);
  });
}
