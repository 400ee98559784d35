#include "nn/model_tensors.hpp"

#include "nn/layout_fingerprint.hpp"
#include "nn/network.hpp"
#include "nn/workspace.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <set>
#include <string>
#include <vector>

// Between flat blocks and named tensors: what checkpoints and exports hold, and how blocks begin.

using namespace triage;

namespace {

std::shared_ptr<const network> build(const std::string& model, const sample_shape& input, std::int64_t width,
                                     std::int64_t batch_hint = 64) {
  auto net = network::build(json_text(model), {"test", "/model"}, input, width, {}, batch_hint);
  REQUIRE_MESSAGE(net.ok(), (net.ok() ? "" : net.error().message));
  return net.take();
}

const std::string cnn =
    R"([{"type": "conv2d", "filters": 20, "activation": "relu"}, "batch_norm", "max_pool",
        {"type": "dense", "units": 70, "activation": "relu"}, "layer_norm", {"type": "dense", "units": 7}])";

std::vector<float> start(const network& net, std::uint64_t seed = 1) {
  std::vector<float> block(net.parameters().size());
  net.parameters().initialise(block, seed);
  return block;
}

std::string problem(const result<void>& r) {
  if (r.ok())
    return "(no error)";
  CHECK(r.error().kind == error_kind::data);
  return r.error().message;
}

} // namespace

TEST_CASE("model tensors: written and read back, every value of the block is the same, gaps are zero") {
  const auto net = build(cnn, {2, 8, 8}, 7);
  const auto block = start(*net);
  const auto tensors = read_model(net->parameters(), block);
  REQUIRE(tensors.size() == net->parameters().tensors().size());
  std::vector<float> back(block.size(), std::nanf(""));
  REQUIRE(write_model(net->parameters(), tensors, back).ok());
  CHECK(back == block);
  // The order of the tensors does not matter: they are found by name.
  auto reversed = tensors;
  std::reverse(reversed.begin(), reversed.end());
  std::fill(back.begin(), back.end(), std::nanf(""));
  REQUIRE(write_model(net->parameters(), reversed, back).ok());
  CHECK(back == block);
}

TEST_CASE(
    "model tensors: what is missing, foreign or of another shape is named, and what was to be filled keeps") {
  const auto net = build(cnn, {2, 8, 8}, 7);
  const auto block = start(*net);
  const auto tensors = read_model(net->parameters(), block);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CAPTURE(tensors[i].name);
    auto target = block;
    auto missing = tensors;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK(problem(write_model(net->parameters(), missing, target))
              .find("no tensor \"" + tensors[i].name + "\"") != std::string::npos);
    auto shaped = tensors;
    shaped[i].shape.push_back(1);
    const auto message = problem(write_model(net->parameters(), shaped, target));
    CHECK(message.find("\"" + tensors[i].name + "\"") != std::string::npos);
    CHECK(message.find("this model needs [") != std::string::npos);
    auto shorter = tensors;
    shorter[i].values.pop_back();
    CHECK(problem(write_model(net->parameters(), shorter, target)).find(tensors[i].name) !=
          std::string::npos);
  }
  auto target = block;
  auto foreign = tensors;
  foreign.push_back({"9.dense.weight", {1}, {1.0F}});
  CHECK(problem(write_model(net->parameters(), foreign, target)).find("\"9.dense.weight\"") !=
        std::string::npos);
  CHECK(target == block);
}

TEST_CASE("model tensors: networks stored for different batch sizes exchange models, and compute the same") {
  const auto small = build(cnn, {2, 8, 8}, 7, 1);
  const auto large = build(cnn, {2, 8, 8}, 7, 256);
  const auto block = start(*small);
  std::vector<float> other(large->parameters().size());
  REQUIRE(write_model(large->parameters(), read_model(small->parameters(), block), other).ok());
  workspace a(small);
  workspace b(large);
  rng random(3, 3);
  for (float& v : a.input(5))
    v = static_cast<float>(random.normal());
  std::copy(a.input(5).begin(), a.input(5).end(), b.input(5).begin());
  const auto y = a.infer(block, 5);
  const auto z = b.infer(other, 5);
  for (std::size_t i = 0; i < y.size(); ++i)
    CHECK(y[i] == doctest::Approx(z[i]).epsilon(1e-4));
}

TEST_CASE("model tensors: a seed gives the same row-major values, however they are stored") {
  const auto small = build(cnn, {2, 8, 8}, 7, 1);
  const auto large = build(cnn, {2, 8, 8}, 7, 256);
  const auto a = read_model(small->parameters(), start(*small, 5));
  const auto b = read_model(large->parameters(), start(*large, 5));
  const auto c = read_model(large->parameters(), start(*large, 6));
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].values == b[i].values);
    if (a[i].name.ends_with("weight") && a[i].shape.size() > 1)
      CHECK(a[i].values != c[i].values);
  }
}

TEST_CASE(
    "model tensors: each layer begins as its kind of activation asks, with zero biases and unit gains") {
  for (const std::string activation : {"relu", "leaky_relu", "tanh", "sigmoid", "none"})
    for (const bool image : {false, true}) {
      CAPTURE(activation);
      CAPTURE(image);
      const std::string layer = image ? R"({"type": "conv2d", "filters": 64, "kernel": 5, "activation": ")"
                                      : R"({"type": "dense", "units": 300, "activation": ")";
      const auto net = build("[" + layer + activation + R"("}, {"type": "dense", "units": 3}])",
                             image ? sample_shape{16, 6, 6} : sample_shape{200, 1, 1}, 3);
      const auto tensors = read_model(net->parameters(), start(*net));
      const auto& weight = tensors[0];
      const double receptive = image ? 25.0 : 1.0;
      const double in = static_cast<double>(weight.shape[1]) * receptive;
      const double out = static_cast<double>(weight.shape[0]) * receptive;
      double mean = 0.0;
      double square = 0.0;
      double largest = 0.0;
      for (const float w : weight.values) {
        mean += static_cast<double>(w);
        square += static_cast<double>(w) * static_cast<double>(w);
        largest = std::max(largest, std::abs(static_cast<double>(w)));
      }
      const auto n = static_cast<double>(weight.values.size());
      const bool he = activation.ends_with("relu");
      const double expected = he ? 2.0 / in : 2.0 / (in + out);
      CHECK(std::abs(mean / n) < 5.0 * std::sqrt(expected / n));
      CHECK(square / n == doctest::Approx(expected).epsilon(5.0 * std::sqrt(2.0 / n)));
      if (!he) // uniform
        CHECK(largest <= std::sqrt(6.0 / (in + out)));
      for (const float b : tensors[1].values)
        CHECK(b == 0.0F);
    }
  const auto net = build(cnn, {2, 8, 8}, 7);
  for (const auto& t : read_model(net->parameters(), start(*net))) {
    CAPTURE(t.name);
    const bool norm = t.name.find("norm") != std::string::npos;
    if (norm && (t.name.ends_with("weight") || t.name.ends_with("running_var")))
      CHECK(std::all_of(t.values.begin(), t.values.end(), [](float v) { return v == 1.0F; }));
    else if (norm || t.name.ends_with("bias"))
      CHECK(std::all_of(t.values.begin(), t.values.end(), [](float v) { return v == 0.0F; }));
  }
}

TEST_CASE("model tensors: activations of a deep network start neither vanishing nor exploding") {
  std::string model = "[";
  for (int i = 0; i < 12; ++i)
    model += R"({"type": "dense", "units": 128, "activation": "relu"}, )";
  const auto net = build(model + R"({"type": "dense", "units": 64}])", {128, 1, 1}, 64);
  workspace w(net);
  rng random(4, 4);
  for (float& v : w.input(64))
    v = static_cast<float>(random.normal());
  const auto y = w.infer(start(*net), 64);
  double square = 0.0;
  for (const float v : y)
    square += static_cast<double>(v) * static_cast<double>(v);
  const double deviation = std::sqrt(square / static_cast<double>(y.size()));
  CHECK(deviation > 0.2);
  CHECK(deviation < 5.0);
}

TEST_CASE(
    "layout fingerprint: equal for equal networks, another one for any change of names, shapes or order") {
  std::set<std::string> seen;
  const std::vector<std::string> models = {
      R"([{"type": "dense", "units": 7}])",
      R"([{"type": "dense", "units": 7, "bias": false}])",
      R"([{"type": "dense", "units": 8}, {"type": "dense", "units": 7}])",
      R"([{"type": "dense", "units": 9}, {"type": "dense", "units": 7}])",
      R"(["relu", {"type": "dense", "units": 7}])",
      R"(["layer_norm", {"type": "dense", "units": 7}])",
      R"(["batch_norm", {"type": "dense", "units": 7}])",
  };
  for (const auto& model : models) {
    CAPTURE(model);
    const auto print = layout_fingerprint(build(model, {6, 1, 1}, 7)->parameters());
    CHECK(print.size() == 64);
    CHECK(layout_fingerprint(build(model, {6, 1, 1}, 7)->parameters()) == print);
    CHECK(seen.insert(print).second);
  }
  // What does not change the block does not change the fingerprint.
  CHECK(layout_fingerprint(
            build(R"([{"type": "dense", "units": 7, "activation": "tanh"}])", {6, 1, 1}, 7)->parameters()) ==
        layout_fingerprint(build(models[0], {6, 1, 1}, 7)->parameters()));
}

TEST_CASE("layout fingerprint: two packings of the same tensor are told apart") {
  struct rotated : packed_format {
    explicit rotated(std::size_t by) : by_(by) {}
    void pack(std::span<const float> plain, std::span<float> packed) const override {
      std::rotate_copy(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(by_), plain.end(),
                       packed.begin());
    }
    void unpack(std::span<const float> packed, std::span<float> plain) const override {
      std::rotate_copy(packed.begin(), packed.end() - static_cast<std::ptrdiff_t>(by_), packed.end(),
                       plain.begin());
    }
    std::size_t by_;
  };
  const auto layout_with = [](std::shared_ptr<const packed_format> packing) {
    parameter_layout layout;
    layout.add({.name = "w", .shape = {3, 5}, .packing = std::move(packing)});
    layout.finish();
    return layout;
  };
  const auto plain = layout_fingerprint(layout_with(nullptr));
  const auto one = layout_fingerprint(layout_with(std::make_shared<rotated>(1)));
  const auto two = layout_fingerprint(layout_with(std::make_shared<rotated>(2)));
  CHECK(one != two);
  CHECK(one != plain);
  // And tensors are read as they were written, in row-major order.
  const auto layout = layout_with(std::make_shared<rotated>(4));
  std::vector<float> block(layout.size());
  std::vector<float> values(15);
  for (std::size_t i = 0; i < 15; ++i)
    values[i] = static_cast<float>(i);
  layout.write(block, 0, values);
  CHECK(block[0] == 4.0F);
  CHECK(layout.read(block, 0) == values);
}
