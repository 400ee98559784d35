#include "core/dataset.hpp"
#include "nn/model_tensors.hpp"
#include "nn/onnx/onnx_export.hpp"
#include "nn/onnx/onnx_graph.hpp"
#include "nn/workspace.hpp"
#include "tests/nn/layers/every_layer.hpp"
#include "tests/nn/onnx/onnx_reader.hpp"

using namespace triage;
using namespace triage::test;

namespace {

std::vector<std::int64_t> batch_shape(std::int64_t batch, const sample_shape& s) {
  if (s.is_image())
    return {batch, s.channels, s.height, s.width};
  return {batch, s.size()};
}

onnx_tensor input_of(std::int64_t batch, const sample_shape& s, const std::vector<float>& x) {
  return {batch_shape(batch, s), {x.begin(), x.end()}};
}

double largest_difference(std::span<const float> ours, const onnx_tensor& theirs) {
  REQUIRE(ours.size() == theirs.values.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    REQUIRE(std::isfinite(theirs.values[i]));
    largest = std::max(largest, std::abs(static_cast<double>(ours[i]) - theirs.values[i]));
  }
  return largest;
}

/// A layer that nobody else knows.
class unknown_layer final : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "unknown"; }
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request&) const override { return nullptr; }
};
std::unique_ptr<layer> make_unknown() {
  return std::make_unique<unknown_layer>();
}

std::shared_ptr<const network> build(std::string_view model, const sample_shape& input, std::int64_t width,
                                     layer_table extra = {}) {
  auto net = network::build(json_text(model), {"test.json", "/model"}, input, width, extra);
  REQUIRE_MESSAGE(net.ok(), (net.ok() ? "" : net.error().message));
  return net.take();
}

std::unique_ptr<loss_function> loss_of(std::string_view name) {
  auto loss = make_loss(json_value(std::string(name)), {"test.json", "/loss"});
  REQUIRE(loss.ok());
  return loss.take();
}

} // namespace

TEST_CASE("onnx: every layer computes there what it computes here") {
  for_every_layer([](layer_runner& runner) {
    // Statistics and scales that are not those of the beginning.
    rng random(23, 0);
    for (const auto& t : runner.layout.tensors())
      for (float& v : std::span(runner.parameters).subspan(t.offset, t.size))
        v = t.name.ends_with("running_var") ? static_cast<float>(0.5 + random.uniform())
                                            : v + static_cast<float>(0.2 * random.normal());
    const auto tensors = read_model(runner.layout, runner.parameters);
    onnx_graph graph(tensors);
    auto at = graph.add_input("input", runner.input_shape);
    for (std::size_t i = 0; i < runner.chain.size(); ++i) {
      auto drawn = runner.chain[i]->draw(graph, at, std::to_string(i) + ".");
      REQUIRE(drawn.ok());
      at = drawn.take();
      CHECK(at.shape == runner.chain[i]->output_shape());
    }
    graph.add_output(at, "output");
    const auto file = graph.encode("test", "1");
    REQUIRE(file.ok());
    constexpr std::int64_t batch = 3;
    const auto x = layer_runner::noise(static_cast<std::size_t>(batch * runner.input_shape.size()), 7);
    const auto out = onnx_reader(*file).run(input_of(batch, runner.input_shape, x)).at("output");
    auto wanted = batch_shape(batch, at.shape);
    if (at.image && !at.shape.is_image())
      wanted = {batch, at.shape.channels, 1, 1};
    CHECK(out.shape == wanted);
    CHECK(largest_difference(runner.run(x, false), out) < 2e-5);
  });
}

TEST_CASE("onnx: a file takes samples as they are in the data and gives what predict gives") {
  struct act {
    std::string_view loss;
    sample_shape input;
    std::int64_t width;
    std::string_view last;
    std::vector<std::string> outputs;
  };
  for (const auto& a :
       {act{"softmax_cross_entropy", {3, 5, 4}, 4, "", {"prediction: batch x 4", "logits: batch x 4"}},
        act{"binary_cross_entropy", {6, 1, 1}, 1, "", {"prediction: batch x 1", "logits: batch x 1"}},
        act{"mean_squared_error", {6, 1, 1}, 2, "", {"prediction: batch x 2"}}}) {
    CAPTURE(a.loss);
    const auto net = build(R"([{"type":"dense","units":8,"activation":"tanh"},{"type":"dense","units":)" +
                               std::to_string(a.width) + "}]",
                           a.input, a.width);
    std::vector<float> parameters(net->parameters().size());
    net->parameters().initialise(parameters, 3);
    standardisation standard;
    for (std::int64_t c = 0; c < a.input.channels; ++c) {
      standard.scale.push_back(0.01F * static_cast<float>(c + 1));
      standard.shift.push_back(-0.5F + static_cast<float>(c));
    }
    const auto loss = loss_of(a.loss);
    const auto file =
        to_onnx(*net, parameters, standard, *loss, {"a run", "1.2", {"cat\n", "dog"}, {}, "unscaled"});
    REQUIRE(file.ok());
    const onnx_reader reader(*file);
    CHECK(reader.ir_version() == 7);
    CHECK(reader.operator_set() == 13);
    CHECK(reader.values(11) ==
          std::vector<std::string>{a.input.is_image() ? "input: batch x 3 x 5 x 4" : "input: batch x 6"});
    CHECK(reader.values(12) == a.outputs);
    CHECK(reader.notes() ==
          std::map<std::string, std::string>{{"outputs", R"(["cat\n","dog"])"}, {"input", "unscaled"}});

    constexpr std::int64_t batch = 4;
    const auto values = static_cast<std::size_t>(a.input.size());
    std::vector<float> raw(batch * values);
    rng random(5, 0);
    for (float& v : raw)
      v = static_cast<float>(255.0 * random.uniform());
    workspace w(net);
    const auto in = w.input(batch);
    const auto plane = values / standard.scale.size();
    for (std::size_t i = 0; i < raw.size(); ++i)
      in[i] = raw[i] * standard.scale[i % values / plane] + standard.shift[i % values / plane];
    const auto rows = w.infer(parameters, batch);
    std::vector<float> predicted(rows.begin(), rows.end());
    const auto all = reader.run(input_of(batch, a.input, raw));
    CHECK(largest_difference(predicted, all.at(a.outputs.size() > 1 ? "logits" : "prediction")) < 1e-5);
    loss->to_prediction(predicted, a.width);
    CHECK(largest_difference(predicted, all.at("prediction")) < 1e-6);
  }
}

TEST_CASE("onnx: features with a large mean beside their spread give what predict gives") {
  const auto net = build(R"([{"type":"dense","units":3}])", {2, 1, 1}, 3);
  std::vector<float> parameters(net->parameters().size());
  net->parameters().initialise(parameters, 3);
  const float scale = 0.4F;
  const standardisation standard{{scale, scale}, {-scale * 16777003.5F, 0.0F}};
  const auto file = to_onnx(*net, parameters, standard, *loss_of("softmax_cross_entropy"), {});
  REQUIRE(file.ok());
  dataset set;
  set.shape = {2, 1, 1};
  set.size = 8;
  for (int i = 0; i < 8; ++i)
    set.floats.insert(set.floats.end(), {16777000.0F + static_cast<float>(i), 0.25F * static_cast<float>(i)});
  workspace w(net);
  std::vector<std::uint32_t> all(8);
  std::iota(all.begin(), all.end(), 0U);
  gather_samples(set, standard, all, w.input(8));
  for (std::size_t i = 1; i < 8; ++i) // exact, on every processor
    CHECK(w.input(8)[2 * i] - w.input(8)[2 * i - 2] == doctest::Approx(scale).epsilon(1e-5));
  const auto rows = w.infer(parameters, 8);
  const auto there = onnx_reader(*file).run(input_of(8, set.shape, set.floats)).at("logits");
  CHECK(largest_difference(rows, there) < 1e-5);
}

TEST_CASE("onnx: every loss makes predictions of outputs there as it does here") {
  for (const auto name : names_of(loss_functions())) {
    CAPTURE(name);
    const auto loss = loss_of(name);
    onnx_graph graph({});
    const auto in = graph.add_input("input", {3, 1, 1});
    const auto op = loss->prediction_operator();
    graph.add_output(op.empty() ? in : graph.apply(op, in), "output");
    const auto file = graph.encode("test", "1");
    REQUIRE(file.ok());
    auto rows = layer_runner::noise(12, 3);
    const auto out = onnx_reader(*file).run(input_of(4, {3, 1, 1}, rows)).at("output");
    loss->to_prediction(rows, 3);
    CHECK(largest_difference(rows, out) < 1e-6);
  }
}

TEST_CASE("onnx: a layer without a form there is named, and other formats offered") {
  const std::vector<registry_entry<layer_factory>> extra{{"unknown", "nothing", make_unknown}};
  const auto net = build(R"(["unknown", {"type":"dense","units":2}])", {4, 1, 1}, 2, extra);
  std::vector<float> parameters(net->parameters().size());
  const standardisation standard{std::vector<float>(4, 1.0F), std::vector<float>(4, 0.0F)};
  const auto refused = to_onnx(*net, parameters, standard, *loss_of("softmax_cross_entropy"), {});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message ==
        "layer \"0.unknown\" has no form in ONNX; safetensors and npz hold every model");
}

TEST_CASE("onnx: an unchanged model gives the same bytes") {
  const auto net = build(R"([{"type":"dense","units":2}])", {4, 1, 1}, 2);
  std::vector<float> parameters(net->parameters().size());
  net->parameters().initialise(parameters, 3);
  const standardisation standard{std::vector<float>(4, 1.0F), std::vector<float>(4, 0.0F)};
  const auto once = to_onnx(*net, parameters, standard, *loss_of("softmax_cross_entropy"), {"a", "1"});
  const auto again = to_onnx(*net, parameters, standard, *loss_of("softmax_cross_entropy"), {"a", "1"});
  REQUIRE(once.ok());
  CHECK(*once == *again);
}
