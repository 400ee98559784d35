#include "tests/nn/layers/layer_runner.hpp"

#include <cmath>

using namespace triage;

namespace {

error refusal(std::string_view text, const sample_shape& shape) {
  const auto made = make_layers(json_text(text), {"run.json", "/model"}, shape, {});
  REQUIRE_FALSE(made.ok());
  return made.error();
}

bool mentions(const error& e, std::string_view words) {
  return e.message.find(words) != std::string::npos;
}

} // namespace

TEST_CASE("a residual block adds its branches, forward and backward") {
  const auto x = layer_runner::noise(24, 1);
  const auto dy = layer_runner::noise(24, 2);
  // relu(x) + x, by hand
  layer_runner plain(R"([{"type": "residual", "layers": [{"type": "relu"}]}])", {3, 2, 2});
  const auto y = plain.run(x, true, dy);
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK(y[i] == std::max(x[i], 0.0F) + x[i]);
    CHECK(plain.dx[i] == (x[i] > 0.0F ? dy[i] + dy[i] : dy[i]));
  }
  CHECK(plain.run(x, false) == y);
}

TEST_CASE("a residual block whose shortcut is the input itself applies the relu behind it to both branches") {
  constexpr std::size_t size =
      std::size_t{2} * 3 * 20 * 20; // more than is fetched ahead at a time, and a rest
  const auto x = layer_runner::noise(size, 1);
  const auto dy = layer_runner::noise(size, 2);
  layer_runner block(R"([{"type": "residual", "layers": [{"type": "leaky_relu", "slope": 0.5}]}, "relu"])",
                     {3, 20, 20});
  const auto y = block.run(x, true, dy);
  for (std::size_t i = 0; i < size; ++i) {
    CHECK(y[i] == std::max((x[i] > 0.0F ? x[i] : 0.5F * x[i]) + x[i], 0.0F));
    CHECK(block.dx[i] == (y[i] > 0.0F ? dy[i] + dy[i] : 0.0F));
  }
}

TEST_CASE("both branches run in the layouts they like, and their tensors have names of their own") {
  const sample_shape shape{8, 6, 6};
  const auto x = layer_runner::noise(static_cast<std::size_t>(2 * shape.size()), 1);
  layer_runner block(R"([{"type": "residual",
    "layers": [{"type": "conv2d", "filters": 20, "kernel": 3, "stride": 2, "padding": 1}, {"type": "group_norm"}],
    "shortcut": [{"type": "conv2d", "filters": 20, "kernel": 1, "stride": 2, "padding": "valid"}]}])",
                     shape);
  layer_runner main(R"([{"type": "conv2d", "filters": 20, "kernel": 3, "stride": 2, "padding": 1},
                        {"type": "group_norm"}])",
                    shape);
  layer_runner other(R"([{"type": "conv2d", "filters": 20, "kernel": 1, "stride": 2, "padding": "valid"}])",
                     shape);
  const auto dy = layer_runner::noise(2 * 180, 2);
  const auto copy = [&](layer_runner& to, std::size_t from) {
    for (std::size_t i = 0; i < to.layout.tensors().size(); ++i)
      to.layout.write(to.parameters, i, block.layout.read(block.parameters, from + i));
  };
  REQUIRE(block.layout.tensors().size() == 6);
  CHECK(block.layout[0].name == "0.layers.0.conv2d.weight");
  CHECK(block.layout[2].name == "0.layers.1.group_norm.weight");
  CHECK(block.layout[4].name == "0.shortcut.0.conv2d.weight");
  copy(main, 0);
  copy(other, 4);
  const auto y = block.run(x, true, dy);
  const auto a = main.run(x, true, dy);
  const auto b = other.run(x, true, dy);
  for (std::size_t i = 0; i < y.size(); ++i)
    CHECK(std::abs(y[i] - (a[i] + b[i])) < 1e-5F);
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(std::abs(block.dx[i] - (main.dx[i] + other.dx[i])) < 1e-5F);
  CHECK(block.layout.read(block.gradient, 0) == main.layout.read(main.gradient, 0));
  CHECK(block.layout.read(block.gradient, 5) == other.layout.read(other.gradient, 1));
}

TEST_CASE("blocks nest, and describe themselves with all defaults") {
  layer_runner nested(
      R"([{"type": "residual", "layers": [{"type": "residual", "layers": [{"type": "tanh"}]}]}])", {4, 1, 1});
  const auto x = layer_runner::noise(8, 1);
  const auto y = nested.run(x, true, x);
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(static_cast<double>(y[i]) ==
          doctest::Approx(std::tanh(static_cast<double>(x[i])) + 2.0 * static_cast<double>(x[i])));
  layer_runner block(R"([{"type": "residual", "layers": ["dropout"]}])", {4, 1, 1});
  CHECK(dump_json(block.chain[0]->describe()) ==
        R"({"type":"residual","layers":[{"type":"dropout","rate":0.5}],"shortcut":[]})");
}

TEST_CASE("blocks that do not fit are refused with the reason and the place") {
  const auto shapes =
      refusal(R"([{"type": "residual", "layers": [{"type": "dense", "units": 3}]}])", {4, 1, 1});
  CHECK(mentions(shapes, "\"layers\" gives 3 and the shortcut 4"));
  CHECK(mentions(shapes, "/model/0"));
  CHECK(mentions(refusal(R"([{"type": "residual", "layers": []}])", {4, 1, 1}), "at least one layer"));
  CHECK(mentions(refusal(R"([{"type": "residual"}])", {4, 1, 1}), "\"layers\" is missing"));
  CHECK(mentions(refusal(R"([{"type": "residual", "layers": [{"type": "dens"}]}])", {4, 1, 1}), "/layers/0"));
}
