#include "nn/network.hpp"

#include "tests/support/json_text.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace triage;

namespace {

result<std::shared_ptr<const network>> build(std::string_view model, const sample_shape& input,
                                             std::int64_t outputs, layer_table extra = {}) {
  return network::build(json_text(model), {"run.json", "/model"}, input, outputs, extra);
}

/// A model that must be refused, and what the message must contain.
struct refusal {
  std::string_view model;
  sample_shape input;
  std::int64_t outputs;
  std::vector<std::string_view> words;
};

/// A layer that an embedding program brings along: adds nothing.
class nothing : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "nothing"; }
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    class pass_on : public stage {
    public:
      explicit pass_on(const tensor_layout& l) : stage(l, l) {}
      [[nodiscard]] bool is_view() const override { return true; }
      void forward(const pass&) override {}
      void backward(const pass&) override {}
    };
    return std::make_unique<pass_on>(r.incoming);
  }
};

std::unique_ptr<layer> make_nothing() {
  return std::make_unique<nothing>();
}

} // namespace

TEST_CASE("a network knows its shapes, tensors, costs and signals") {
  const auto net = build(R"([{"type": "conv2d", "filters": 32, "kernel": 3, "activation": "relu"},
                             {"type": "max_pool"}, {"type": "flatten"}, {"type": "dense", "units": 10}])",
                         {1, 28, 28}, 10);
  REQUIRE(net.ok());
  const auto& n = **net;
  CHECK(n.input_shape() == sample_shape{1, 28, 28});
  CHECK(n.output_width() == 10);
  CHECK(n.layers()[0]->output_shape() == sample_shape{32, 28, 28});
  CHECK(n.layers()[1]->output_shape() == sample_shape{32, 14, 14});
  CHECK(n.layers()[2]->output_shape() == sample_shape{6272, 1, 1});
  std::vector<std::string> names;
  for (const auto& t : n.parameters().tensors())
    names.push_back(t.name);
  CHECK(names ==
        std::vector<std::string>{"0.conv2d.weight", "0.conv2d.bias", "3.dense.weight", "3.dense.bias"});
  CHECK(n.parameters()[0].shape == std::vector<std::int64_t>{32, 1, 3, 3});
  CHECK(n.parameters()[2].shape == std::vector<std::int64_t>{10, 6272});
  CHECK(n.parameters()[0].decayed);
  CHECK_FALSE(n.parameters()[1].decayed);
  CHECK(n.parameters()[0].init == initialiser::he_normal);
  CHECK(n.parameters()[2].init == initialiser::glorot_uniform);
  CHECK(n.parameters().trained_values() == 32 * 9 + 32 + 62720 + 10);
  CHECK(n.forward_flops() == doctest::Approx(2.0 * (32 * 28 * 28 * 9 + 62720)));
  CHECK(n.ends_in_dense());
  CHECK(n.summary().find("32x14x14") != std::string::npos);
  CHECK(n.summary().find("63050 trained values") != std::string::npos);

  CHECK_FALSE(
      (*build(R"([{"type": "dense", "units": 3}, {"type": "tanh"}])", {4, 1, 1}, 3))->ends_in_dense());
}

TEST_CASE("models that do not fit are refused with the place, the layer, its input and a way out") {
  const std::vector<refusal> refusals{
      {R"({"type": "dense"})", {4, 1, 1}, 1, {"run.json", "/model", "array of layers"}},
      {"[]", {4, 1, 1}, 1, {"no layer with parameters"}},
      {R"(["relu"])", {4, 1, 1}, 4, {"no layer with parameters"}},
      {"[3]", {4, 1, 1}, 1, {"/model/0", "not an integer"}},
      {R"([{"units": 3}])", {4, 1, 1}, 3, {"/model/0", "type"}},
      {R"(["relu", {"type": "dens", "units": 3}])", {4, 1, 1}, 3, {"/model/1/type", R"("dense")"}},
      {R"([{"type": "dense", "unit": 3}])", {4, 1, 1}, 3, {"/model/0/unit", R"("units")"}},
      {R"([{"type": "dense"}])", {4, 1, 1}, 1, {"/model/0", R"("units" is missing)"}},
      {R"([{"type": "dense", "units": 0}])", {4, 1, 1}, 1, {"/model/0/units", "is 0"}},
      {R"([{"type": "dense", "units": 2.5}])", {4, 1, 1}, 1, {"/model/0/units", "integer"}},
      {R"([{"type": "dense", "units": 3, "activation": "rel"}])",
       {4, 1, 1},
       3,
       {"/model/0/activation", R"("relu")"}},
      {R"(["max_pool", "max_pool", {"type": "dense", "units": 2}])",
       {1, 3, 3},
       2,
       {"/model/1", "layer 1 (max_pool)", "input of shape 1", "2x2 window does not fit into 1x1", "same"}},
      {R"([{"type": "conv2d", "filters": 4, "kernel": 5, "padding": "valid"}, {"type": "dense", "units": 2}])",
       {3, 4, 9},
       2,
       {"/model/0", "layer 0 (conv2d)", "3x4x9", "5x5 window"}},
      {R"([{"type": "conv2d", "filters": 4, "padding": "full"}])",
       {3, 4, 4},
       2,
       {"/model/0", R"(padding must be "same", "valid" or a number of pixels, not "full")"}},
      {R"([{"type": "conv2d", "filters": 4, "padding": 3}])", {3, 4, 4}, 2, {"padding 3", "window's size 3"}},
      {R"([{"type": "conv2d", "filters": 4, "padding": -1}])", {3, 4, 4}, 2, {"padding -1"}},
      {R"([{"type": "conv2d", "filters": 4, "groups": 2}])",
       {3, 4, 4},
       2,
       {"groups (2)", "input channels (3)", "filters (4)"}},
      {R"([{"type": "dense", "units": 7}])", {4, 1, 1}, 3, {"(dense) gives 7", R"("units": 3)"}},
      {R"([{"type": "conv2d", "filters": 1}])", {1, 2, 2}, 4, {"1x2x2", R"("units": 4)"}},
      {R"([{"type": "dense", "units": 100000000}, {"type": "dense", "units": 100000000}])",
       {4, 1, 1},
       3,
       {"/model/1", "2^31", "100000000 x 100000000"}},
      {R"([{"type": "dense", "units": 100000000}, {"type": "dense", "units": 20}])",
       {20, 1, 1},
       20,
       {"/model: has", "parameters, more than 2^31"}},
      {R"([{"type": "conv2d", "filters": 1000000}, {"type": "dense", "units": 2}])",
       {3, 3000, 3000},
       2,
       {"layer 0 (conv2d)", "values per sample", "2^31"}},
  };
  for (const auto& r : refusals) {
    CAPTURE(r.model);
    const auto net = build(r.model, r.input, r.outputs);
    REQUIRE_FALSE(net.ok());
    CHECK(net.error().kind == error_kind::configuration);
    for (const auto words : r.words) {
      CAPTURE(words);
      CHECK_MESSAGE(net.error().message.find(words) != std::string::npos, net.error().message);
    }
  }
}

TEST_CASE("the description of a network rebuilds it, with all defaults filled in") {
  const auto net = build(R"([{"type": "conv2d", "filters": 8}, "max_pool", {"type": "batch_norm"}, "gelu",
                {"type": "residual", "layers": [{"type": "conv2d", "filters": 8}, "relu"]},
                {"type": "dropout", "rate": 0.2}, {"type": "dense", "units": 5, "activation": "relu"},
                {"type": "dense", "units": 2}])",
                         {3, 8, 8}, 2);
  REQUIRE(net.ok());
  const auto description = (*net)->describe();
  CHECK(
      dump_json(description.as_array()[0]) ==
      R"({"type":"conv2d","filters":8,"kernel":3,"stride":1,"padding":"same","groups":1,"activation":"none","bias":true,"algorithm":"auto"})");
  const auto again = network::build(description, {"again.json", "/model"}, {3, 8, 8}, 2);
  REQUIRE(again.ok());
  CHECK(dump_json((*again)->describe()) == dump_json(description));
  const auto& a = (*net)->parameters();
  const auto& b = (*again)->parameters();
  REQUIRE(a.tensors().size() == b.tensors().size());
  std::vector<float> x(a.size());
  std::vector<float> y(b.size());
  a.initialise(x, 9);
  b.initialise(y, 9);
  CHECK(x == y);
  for (std::size_t i = 0; i < a.tensors().size(); ++i) {
    CHECK(a[i].name == b[i].name);
    CHECK(a[i].shape == b[i].shape);
  }
}

TEST_CASE("an embedding program adds layers of its own by a table") {
  const std::vector<registry_entry<layer_factory>> extra{{"nothing", "adds nothing", make_nothing}};
  const std::string_view model = R"([{"type": "dense", "units": 3}, "nothing"])";
  const auto net = build(model, {4, 1, 1}, 3, extra);
  REQUIRE(net.ok());
  CHECK((*net)->layers()[1]->type() == "nothing");
  CHECK_FALSE((*net)->ends_in_dense());
  const auto refused = build(model, {4, 1, 1}, 3);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("nothing") != std::string::npos);
  const auto misspelt = build(R"(["nothin", {"type": "dense", "units": 3}])", {4, 1, 1}, 3, extra);
  REQUIRE_FALSE(misspelt.ok());
  CHECK(misspelt.error().message.find(R"("nothing")") != std::string::npos);
}
