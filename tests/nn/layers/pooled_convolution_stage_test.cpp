#include "nn/network.hpp"
#include "nn/workspace.hpp"
#include "tests/support/json_text.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <string>

// A first convolution with the relu and the pool behind it in one pass, against the same layers one after the
// other: the option "algorithm": "direct" keeps them apart.

using namespace triage;

namespace {

struct trained {
  std::vector<float> outputs;
  std::vector<float> inferred;
  std::vector<float> gradient;
  std::vector<float> ranges;
  std::size_t bytes = 0;
};

trained train_once(std::string model, const std::string& algorithm, const sample_shape& input) {
  for (std::size_t at = 0; (at = model.find("ALGORITHM", at)) != std::string::npos;)
    model.replace(at, 9, algorithm);
  constexpr std::int64_t batch = 6;
  auto net = network::build(json_text("[" + model + R"(, {"type": "dense", "units": 4}])"),
                            {"test.json", "/model"}, input, 4);
  REQUIRE_MESSAGE(net.ok(), (net.ok() ? "" : net.error().message));
  const std::shared_ptr<const network> shared = net.take();
  std::vector<float> parameters(shared->parameters().size());
  shared->parameters().initialise(parameters, 5);
  rng random(7, 7);
  for (const auto& t : shared->parameters().tensors())
    if (t.name.ends_with("bias"))
      for (std::size_t i = 0; i < t.size; ++i)
        parameters[t.offset + i] = 0.3F * static_cast<float>(random.normal());
  workspace w(shared);
  w.watch_input_ranges(true);
  auto samples = w.input(batch);
  for (float& x : samples)
    x = static_cast<float>(random.normal());
  trained out;
  const auto inferred = w.infer(parameters, batch);
  out.inferred.assign(inferred.begin(), inferred.end());
  out.ranges = w.input_ranges();
  const std::vector<std::int32_t> targets{0, 1, 2, 3, 0, 1};
  auto loss = make_loss(json_value("softmax_cross_entropy"), {"test.json", "/loss"});
  out.gradient.assign(parameters.size(), NAN);
  (void)w.train(parameters, batch, {targets, {}}, {}, **loss, static_cast<signal_set>(signal::loss), random,
                out.gradient);
  out.outputs.assign(w.outputs().begin(), w.outputs().end());
  out.bytes = w.bytes();
  return out;
}

void check_close(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double scale = 1.0;
  for (const float x : b)
    scale = std::max(scale, std::abs(static_cast<double>(x)));
  for (std::size_t i = 0; i < a.size(); ++i)
    REQUIRE(std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) <= 1e-5 * scale);
}

} // namespace

TEST_CASE(
    "pooled convolution: networks that begin with convolution, relu and pool are what their layers say") {
  const std::string convolution = R"({"type": "conv2d", "filters": 16, "algorithm": "ALGORITHM")";
  for (const std::string& model : std::vector<std::string>{
           convolution + R"(, "activation": "relu"}, "max_pool")", convolution + R"(}, "relu", "max_pool")",
           convolution + R"(, "bias": false}, "relu", "max_pool", "relu")",
           convolution + R"(, "kernel": 2, "padding": "valid"}, "relu", "max_pool")",
           // A relu behind a relu changes nothing.
           convolution + R"(, "activation": "relu"}, "relu", "max_pool")",
           convolution + R"(, "activation": "relu"}, "relu", "max_pool", "relu", "max_pool")",
           // Only the first pool is done.
           convolution + R"(, "activation": "relu"}, "max_pool", "max_pool")",
           convolution + R"(, "activation": "relu"}, "max_pool", )" + convolution +
               R"(, "activation": "relu"}, "max_pool")",
           // These are not done in one pass.
           convolution + R"(}, "max_pool", "relu")", convolution + R"(, "activation": "tanh"}, "max_pool")",
           convolution + R"(, "activation": "relu"}, {"type": "max_pool", "size": 3, "stride": 1})",
           convolution + R"(, "activation": "relu"}, "avg_pool")",
           convolution + R"(, "activation": "relu", "stride": 2}, "max_pool")"})
    for (const sample_shape input :
         {sample_shape{1, 12, 8}, sample_shape{1, 9, 8}, sample_shape{1, 9, 13}, sample_shape{3, 8, 8}}) {
      CAPTURE(model);
      CAPTURE(to_string(input));
      const trained fast = train_once(model, "auto", input);
      const trained apart = train_once(model, "direct", input);
      check_close(fast.outputs, apart.outputs);
      check_close(fast.inferred, apart.inferred);
      check_close(fast.gradient, apart.gradient);
      REQUIRE(fast.ranges.size() == apart.ranges.size());
      for (std::size_t i = 0; i < fast.ranges.size(); ++i)
        CHECK(fast.ranges[i] == doctest::Approx(apart.ranges[i]).epsilon(1e-4));
    }
}

TEST_CASE("pooled convolution: the outputs between convolution and pool take no memory") {
  const std::string model =
      R"({"type": "conv2d", "filters": 32, "algorithm": "ALGORITHM", "activation": "relu"}, "max_pool")";
  const sample_shape input{1, 28, 28};
  const auto fast = train_once(model, "auto", input).bytes;
  const auto apart = train_once(model, "direct", input).bytes;
  MESSAGE(fast << " bytes of activations instead of " << apart);
  CHECK(fast <= apart);
}
