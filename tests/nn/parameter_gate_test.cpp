#include "nn/workspace.hpp"

#include "tests/support/json_text.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <stdexcept>
#include <vector>

using namespace triage;

namespace {

constexpr std::array models{
    std::string_view(
        R"([{"type": "dense", "units": 24, "activation": "relu"}, {"type": "dense", "units": 7}])"),
    std::string_view(R"([{"type": "conv2d", "filters": 20}, "batch_norm", "relu", "dropout",
                         {"type": "residual", "layers": [{"type": "conv2d", "filters": 20}, "gelu"]}, "max_pool",
                         {"type": "dense", "units": 32, "activation": "tanh"}, {"type": "layer_norm"},
                         {"type": "dense", "units": 7}])")};

std::shared_ptr<const network> build(std::string_view model) {
  auto net = network::build(json_text(model), {"test.json", "/model"}, {3, 8, 8}, 7);
  REQUIRE_MESSAGE(net.ok(), (net.ok() ? "" : net.error().message));
  return net.take();
}

/// Parameters that are NaN until somebody waits for them.
class late_parameters final : public parameter_gate {
public:
  explicit late_parameters(std::span<const float> values)
      : block(values.size(), std::numeric_limits<float>::quiet_NaN()), values_(values) {}
  void await(std::size_t end) override {
    asked.push_back(end);
    if (end > limit)
      throw std::runtime_error("they will not come");
    std::copy(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(end), block.begin());
  }

  std::vector<float> block;
  std::vector<std::size_t> asked;
  std::size_t limit = std::numeric_limits<std::size_t>::max();

private:
  std::span<const float> values_;
};

struct fixture {
  explicit fixture(std::string_view model) : net(build(model)), w(net), values(net->parameters().size()) {
    net->parameters().initialise(values, 3);
    rng random(5, 0);
    for (float& x : w.input(batch))
      x = static_cast<float>(random.normal());
  }
  std::vector<float> gradient(std::span<const float> parameters, parameter_gate* gate) {
    std::vector<float> g(values.size());
    rng dropout(9, 0);
    const std::vector<std::int32_t> labels = {0, 1, 2, 3};
    const auto loss = make_loss(json_text(R"("softmax_cross_entropy")"), {"test.json", "/loss"});
    REQUIRE(loss.ok());
    (void)w.train(parameters, batch, {.labels = labels, .values = {}}, {}, **loss, {}, dropout, g, {},
                  nullptr, gate);
    return g;
  }
  static constexpr std::int64_t batch = 4;
  std::shared_ptr<const network> net;
  workspace w;
  std::vector<float> values;
};

} // namespace

TEST_CASE("gate: each layer's parameters are awaited before they are read, all of them before backward") {
  for (const auto model : models) {
    CAPTURE(model);
    fixture f(model);
    const auto expected = f.gradient(f.values, nullptr);
    late_parameters late(f.values);
    CHECK(f.gradient(late.block, &late) == expected);
    CHECK(std::is_sorted(late.asked.begin(), late.asked.end()));
    CHECK(late.asked.front() == f.net->trained_ends()[0]);
    CHECK(late.asked.front() < f.net->parameters().trained_size());
    CHECK(late.asked.back() == f.values.size());
    CHECK(late.asked.size() >= 3);
  }
}

TEST_CASE("gate: what it throws ends the pass, and the next one is as good as ever") {
  fixture f(models[1]);
  const auto expected = f.gradient(f.values, nullptr);
  late_parameters late(f.values);
  late.limit = f.net->trained_ends()[0];
  CHECK_THROWS_WITH(f.gradient(late.block, &late), "they will not come");
  CHECK(late.asked.size() == 2);
  CHECK(f.gradient(f.values, nullptr) == expected);
}

TEST_CASE("gate: where a layer's trained values end") {
  const auto net = build(models[1]);
  const auto ends = net->trained_ends();
  const auto offsets = net->trained_offsets();
  REQUIRE(ends.size() == net->layers().size());
  std::size_t last = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (!net->layers()[i]->has_parameters()) {
      CHECK(ends[i] == 0);
      continue;
    }
    CHECK(ends[i] > offsets[i]);
    CHECK(offsets[i] >= last);
    last = ends[i];
  }
  CHECK(last <= net->parameters().trained_size());
}
