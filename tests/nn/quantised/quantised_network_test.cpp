#include "nn/quantised/quantise.hpp"
#include "nn/quantised_network.hpp"
#include "nn/workspace.hpp"
#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

using namespace triage;

namespace {

std::shared_ptr<const network> build(const std::string& model, const sample_shape& input,
                                     std::int64_t width) {
  auto net = network::build(json_text(model), {"test.json", "/model"}, input, width);
  REQUIRE_MESSAGE(net.ok(), (net.ok() ? "" : net.error().message));
  return net.take();
}

/// Mean distance of the outputs relative to their spread.
double distance(const std::string& model, const sample_shape& input, const std::vector<float>& scale,
                const std::vector<float>& shift) {
  constexpr std::int64_t batch = 32;
  const auto net = build(model, input, 4);
  std::vector<float> parameters(net->parameters().size());
  net->parameters().initialise(parameters, 5);
  rng random(7, 7);
  for (const auto& t : net->parameters().tensors())
    if (t.name.ends_with("bias"))
      std::for_each_n(parameters.begin() + static_cast<std::ptrdiff_t>(t.offset), t.size,
                      [&](float& v) { v = 0.3F * static_cast<float>(random.normal()); });
  auto made = quantised_network::compile(net, batch);
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().message));
  auto& bytes = **made;
  workspace exact(net);
  exact.watch_input_ranges(true);
  const auto samples = exact.input(batch);
  const auto size = static_cast<std::size_t>(input.size());
  const std::size_t plane = size / static_cast<std::size_t>(input.channels);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::size_t c = scale.size() > 1 ? i % size / plane : 0;
    bytes.input()[i] = static_cast<std::uint8_t>(random.below(256));
    samples[i] = static_cast<float>(bytes.input()[i]) * scale[c] + shift[c];
  }
  const auto precise = exact.infer(parameters, batch);
  bytes.load(parameters, {scale, shift}, exact.input_ranges());
  const auto rough = bytes.infer();
  REQUIRE(rough.size() == precise.size());
  double apart = 0.0;
  double mean = 0.0;
  for (std::size_t i = 0; i < rough.size(); ++i) {
    apart += std::abs(static_cast<double>(rough[i]) - static_cast<double>(precise[i]));
    mean += static_cast<double>(precise[i]);
  }
  mean /= static_cast<double>(rough.size());
  double spread = 0.0;
  for (const float v : precise)
    spread += std::abs(static_cast<double>(v) - mean);

  // The norms that scores use.
  std::vector<float> norms(batch);
  bytes.last_input_norms(norms);
  const auto targets = std::vector<std::int32_t>(batch, 0);
  auto loss = make_loss(json_value("softmax_cross_entropy"), {"test.json", "/loss"});
  const auto signals = exact.measure(parameters, batch, {targets, {}}, **loss,
                                     static_cast<signal_set>(signal::last_input_norm));
  for (std::size_t i = 0; i < norms.size(); ++i)
    CHECK(norms[i] == doctest::Approx(signals.last_input_norm[i]).epsilon(0.05));
  return apart / spread;
}

const std::string ending =
    R"({"type": "dense", "units": 37, "activation": "relu"}, {"type": "dense", "units": 4}])";

} // namespace

TEST_CASE("8-bit outputs are close to those in floats, for every form that a network may have") {
  if (!quantised_network::processor_supports()) {
    MESSAGE("this processor has no fast 8-bit dot products; nothing to check");
    return;
  }
  const std::vector<float> scale{0.012F};
  const std::vector<float> shift{-0.9F};
  for (
      const std::string front :
      {R"([{"type": "dense", "units": 50, "activation": "relu"}, )",
       R"([{"type": "dense", "units": 50}, "relu", )",
       R"([{"type": "dense", "units": 50, "bias": false, "activation": "relu"}, {"type": "dropout", "rate": 0.5}, )"})
    CHECK(distance(front + ending, {61, 1, 1}, scale, shift) < 0.03);
  for (
      const std::string front :
      {R"([{"type": "conv2d", "filters": 9, "activation": "relu"}, )",
       R"([{"type": "conv2d", "filters": 16}, "relu", "max_pool", "flatten", )",
       R"([{"type": "conv2d", "filters": 16, "kernel": 5, "stride": 2, "padding": "valid", "activation": "relu"}, )",
       R"([{"type": "conv2d", "filters": 16, "activation": "relu"}, {"type": "conv2d", "filters": 20}, "relu",
            "avg_pool", {"type": "conv2d", "filters": 8, "kernel": 1, "bias": false, "activation": "relu"}, )"})
    CHECK(distance(front + ending, {1, 11, 12}, scale, shift) < 0.04);
}

TEST_CASE("8-bit convolutions by Winograd's algorithm, with pools applied on the way, are close to floats") {
  if (!quantised_network::processor_supports())
    return;
  const std::vector<float> scale{0.012F};
  const std::vector<float> shift{-0.9F};
  const std::string first = R"([{"type": "conv2d", "filters": 32, "activation": "relu"}, )";
  // Even and odd sides, so that tiles are cut; margins and none; a pool behind, behind a relu, and one that
  // is no pool of 2x2.
  for (const std::string behind :
       {R"({"type": "conv2d", "filters": 64, "activation": "relu"}, )",
        R"("max_pool", {"type": "conv2d", "filters": 64, "bias": false}, "relu", "max_pool", )",
        R"({"type": "conv2d", "filters": 32, "padding": "valid", "activation": "relu"}, )",
        R"({"type": "conv2d", "filters": 32, "padding": 2, "activation": "relu"}, )",
        R"({"type": "conv2d", "filters": 64, "activation": "relu"},
           {"type": "conv2d", "filters": 32, "activation": "relu"}, {"type": "max_pool", "size": 3}, )"})
    for (const sample_shape input : {sample_shape{1, 16, 16}, sample_shape{2, 13, 18}}) {
      CAPTURE(behind);
      CAPTURE(input.height);
      CHECK(distance(first + behind + ending, input, scale, shift) < 0.06);
    }
}

TEST_CASE("channels of bytes may mean different things, also through a flatten, and padding means zero") {
  if (!quantised_network::processor_supports())
    return;
  const std::vector<float> scale{0.012F, 0.02F, 0.004F};
  const std::vector<float> shift{-0.9F, -2.0F, -0.1F};
  for (const std::string front : {R"([)", R"(["flatten", )",
                                  R"([{"type": "conv2d", "filters": 9, "activation": "relu"}, "max_pool", )"})
    CHECK(distance(front + ending, {3, 8, 8}, scale, shift) < 0.04);
}

TEST_CASE("what has no 8-bit form is refused with the layer's name") {
  for (const std::string& model : std::vector<std::string>{
           R"([{"type": "dense", "units": 4}])",
           R"([{"type": "dense", "units": 9, "activation": "tanh"}, )" + ending,
           R"([{"type": "dense", "units": 9}, )" + ending, R"(["batch_norm", )" + ending,
           R"([{"type": "conv2d", "filters": 8, "groups": 2, "activation": "relu"}, )" + ending,
           R"([{"type": "residual", "layers": ["tanh"]}, )" + ending, R"(["max_pool", )" + ending}) {
    CAPTURE(model);
    const auto made = quantised_network::compile(build(model, {2, 6, 6}, 4), 16);
    REQUIRE(!made.ok());
    CHECK(made.error().message.find("lay") != std::string::npos);
  }
}

TEST_CASE("rows are quantised to the nearest step, and their offsets are exact") {
  const std::vector<float> weights{1.0F, -2.0F, 0.5F, 0.0F, 0.0F, 0.0F};
  quantised_matrix out(2, 3);
  quantise_rows(weights.data(), {}, std::vector<float>{1.0F, 10.0F, 100.0F}, out);
  CHECK(out.scale[0] == doctest::Approx(2.0 / 127.0));
  CHECK(std::vector<int>(out.values.begin(), out.values.end()) == std::vector<int>{64, -127, 32, 0, 0, 0});
  CHECK(out.offset[0] == doctest::Approx(64.0 - 1270.0 + 3200.0));
  CHECK(out.scale[1] == 1.0F);
  quantise_rows(weights.data(), std::vector<float>{4.0F, 1.0F, 1.0F}, {}, out);
  CHECK(std::vector<int>(out.values.begin(), out.values.begin() + 3) == std::vector<int>{127, -64, 16});
  std::vector<std::uint8_t> bytes(5);
  quantise_values(std::vector<float>{-9.0F, -1.0F, 0.0F, 1.26F, 900.0F}, 0.5F, -1.0F, bytes.data());
  CHECK(std::vector<int>(bytes.begin(), bytes.end()) == std::vector<int>{0, 0, 2, 5, 255});
  std::vector<double> squares(2);
  byte_row_squares(std::vector<std::uint8_t>{1, 2, 255, 0}.data(), 2, squares);
  CHECK(squares == std::vector<double>{5.0, 65025.0});
}
