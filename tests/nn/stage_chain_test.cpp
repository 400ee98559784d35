#include "nn/stage_chain.hpp"

#include "tests/support/json_text.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <vector>

using namespace triage;

namespace {

using tag = dnnl::memory::format_tag;

/// What a `witness` saw of its neighbours.
struct evidence {
  std::vector<bool> training;
  std::vector<bool> input_gradient;
  std::vector<float> input;
  std::vector<float> output_gradient;
};

/// Adds one to everything, in channels-last memory, and writes down what it is given.
class witness : public layer {
public:
  witness(evidence& e, bool trained) : evidence_(e), trained_(trained) {}
  [[nodiscard]] std::string_view type() const override { return "witness"; }
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  [[nodiscard]] bool has_parameters() const override { return trained_; }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    evidence_.training.push_back(r.training);
    evidence_.input_gradient.push_back(r.input_gradient);
    const tensor_layout last(
        dnnl::memory::desc(r.incoming.descriptor().dims(), dnnl::memory::data_type::f32, tag::nhwc));
    return std::make_unique<adder>(evidence_, last);
  }

private:
  class adder : public stage {
  public:
    adder(evidence& e, const tensor_layout& l) : stage(l, l), evidence_(e) {}
    void forward(const pass&) override {
      const float* const x = buffers().input;
      const std::size_t n = input_layout().floats();
      evidence_.input.assign(x, x + n);
      std::transform(x, x + n, buffers().output, [](float v) { return v + 1.0F; });
    }
    void backward(const pass&) override {
      float* const dy = buffers().output_gradient;
      const std::size_t n = input_layout().floats();
      evidence_.output_gradient.assign(dy, dy + n);
      if (float* const dx = buffers().input_gradient; dx != nullptr)
        std::transform(dy, dy + n, dx, [](float v) { return 2.0F * v; });
      std::fill_n(dy, n, -99.0F); // allowed, and must not disturb anybody
    }

  private:
    evidence& evidence_;
  };

  evidence& evidence_;
  bool trained_;
};

/// 1 sample of 2 channels, 1 row, 3 columns.
constexpr sample_shape shape{2, 1, 3};

std::vector<std::unique_ptr<layer>> witnesses(std::vector<evidence>& seen, const std::vector<bool>& trained) {
  seen.resize(trained.size());
  std::vector<std::unique_ptr<layer>> chain;
  for (std::size_t i = 0; i < trained.size(); ++i) {
    chain.push_back(std::make_unique<witness>(seen[i], trained[i]));
    REQUIRE(chain.back()->connect(shape).ok());
  }
  return chain;
}

/// A bound chain of three witnesses, there from 1 to 6, and back to them.
void check_forward(stage_chain& stages) {
  stages.forward({{}, {}, true, nullptr});
  CHECK(std::vector<float>(stages.output(), stages.output() + 6) == std::vector<float>{4, 5, 6, 7, 8, 9});
}

void check_backward(stage_chain& stages, const std::vector<float>& x, const std::vector<float>& dx) {
  std::copy_n(x.begin(), 6, stages.output_gradient());
  stages.backward({{}, {}, true, nullptr});
  CHECK(dx == std::vector<float>{8, 16, 24, 32, 40, 48});
}

} // namespace

TEST_CASE("layouts are converted where layers differ, and what leaves a chain is plain again") {
  std::vector<evidence> seen;
  const auto chain = witnesses(seen, {true, true, true});
  kernel_engine engine;
  stage_chain stages(chain, {engine, 1, tensor_layout::plain(1, shape), true, true});
  const std::vector<float> x{1, 2, 3, 4, 5, 6};
  std::vector<float> dx(6);
  stages.bind(x.data(), dx.data());
  check_forward(stages);
  CHECK(seen[0].input == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(seen[2].input == std::vector<float>{3, 6, 4, 7, 5, 8});
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(std::equal(seen[i].input.begin(), seen[i].input.end(), stages.input_of(i)));
  check_backward(stages, x, dx);
  CHECK(seen[2].output_gradient == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(seen[0].output_gradient == std::vector<float>{4, 16, 8, 20, 12, 24});
}

TEST_CASE("input gradients are asked for only behind the first layer that has something to train") {
  std::vector<evidence> seen;
  const auto chain = witnesses(seen, {false, true, false, true});
  kernel_engine engine;
  const stage_chain training(chain, {engine, 1, tensor_layout::plain(1, shape), true, false});
  const std::vector<bool> wanted{false, false, true, true};
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    CHECK(seen[i].training[0]);
    CHECK(seen[i].input_gradient[0] == wanted[i]);
  }
  const stage_chain inner(chain, {engine, 1, tensor_layout::plain(1, shape), true, true});
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(seen[i].input_gradient[1]);
}

TEST_CASE(
    "without a way back a chain of any length takes the memory of its last two activations and its output") {
  constexpr std::size_t activation = 16; // six floats, in whole cache lines
  for (const std::size_t length : {2U, 3U, 12U}) {
    CAPTURE(length);
    std::vector<evidence> seen;
    const auto chain = witnesses(seen, std::vector<bool>(length, true));
    kernel_engine engine;
    stage_chain forward(chain, {engine, 1, tensor_layout::plain(1, shape), false, false});
    CHECK(forward.memory_floats() == 2 * activation + 6); // the last layer's input stays
    stage_chain back(chain, {engine, 1, tensor_layout::plain(1, shape), true, true});
    CHECK(back.memory_floats() > (length - 1) * activation);
  }
}

TEST_CASE("memory that is lent and moves: the same values, whatever it held") {
  std::vector<evidence> seen;
  const auto chain = witnesses(seen, {true, true, true});
  kernel_engine engine;
  stage_chain stages(chain, {engine, 1, tensor_layout::plain(1, shape), true, true});
  const std::vector<float> x{1, 2, 3, 4, 5, 6};
  std::vector<float> dx(6);
  for (int move = 0; move < 3; ++move) {
    float_buffer memory(stages.memory_floats());
    std::fill_n(memory.data(), memory.size(), 1e30F);
    stages.bind(x.data(), dx.data(), memory.data());
    check_forward(stages);
    check_backward(stages, x, dx);
  }
}

TEST_CASE("the largest input value of each layer is found on the way, where it is asked for") {
  std::vector<evidence> seen;
  const auto chain = witnesses(seen, {true, true, true});
  kernel_engine engine;
  stage_chain stages(chain, {engine, 1, tensor_layout::plain(1, shape), false, false});
  const std::vector<float> x{1, 2, 3, 9, 5, 6};
  stages.bind(x.data(), nullptr);
  std::vector<float> ranges{77.0F};
  pass now;
  now.input_ranges = &ranges;
  stages.forward(now);
  CHECK(ranges == std::vector<float>{9, 10, 11});
}

TEST_CASE("chains that are empty or only pass on have the caller's memory at both ends") {
  for (const auto* text : {"[]", R"(["flatten", {"type": "dropout", "rate": 0}])"}) {
    CAPTURE(text);
    const auto chain = make_layers(json_text(text), {"test.json", ""}, shape, {});
    REQUIRE(chain.ok());
    kernel_engine engine;
    stage_chain stages(*chain, {engine, 1, tensor_layout::plain(1, shape), true, true});
    std::vector<float> x(6);
    std::vector<float> dx(6);
    stages.bind(x.data(), dx.data());
    CHECK(stages.output() == x.data());
    CHECK(stages.output_gradient() == dx.data());
  }
}
