// A layer of one's own: x * |x|, element by element. A layer describes itself and compiles stages; a stage
// computes forward and backward on plain memory.
#include "actors/train.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace {

using triage::tensor_layout;

class signed_square_stage : public triage::stage {
public:
  signed_square_stage(const triage::stage_request& request, const triage::sample_shape& shape)
      : stage(tensor_layout::plain(request.batch, shape), tensor_layout::plain(request.batch, shape)),
        values_(static_cast<std::size_t>(request.batch * shape.size())) {}
  void forward(const triage::pass&) override {
    for (std::size_t i = 0; i < values_; ++i)
      buffers().output[i] = buffers().input[i] * std::abs(buffers().input[i]);
  }
  void backward(const triage::pass&) override {
    if (buffers().input_gradient == nullptr)
      return;
    for (std::size_t i = 0; i < values_; ++i)
      buffers().input_gradient[i] = buffers().output_gradient[i] * 2.0F * std::abs(buffers().input[i]);
  }

private:
  std::size_t values_;
};

class signed_square : public triage::layer {
public:
  std::string_view type() const override { return "signed_square"; }
  triage::result<triage::sample_shape> connect(const triage::sample_shape& input) override {
    return output_ = input_ = input;
  }
  std::unique_ptr<triage::stage> compile(const triage::stage_request& request) const override {
    return std::make_unique<signed_square_stage>(request, input_);
  }
};

constexpr std::array layers = {triage::registry_entry<triage::layer_factory>{
    "signed_square", "x * |x|",
    [] { return std::unique_ptr<triage::layer>(std::make_unique<signed_square>()); }}};

} // namespace

int main() {
  triage::run_extensions extensions;
  extensions.layers = layers;
  const auto setup = triage::prepare_run_text(R"({
    "data": {"format": "synthetic", "kind": "xor", "train_size": 2000, "test_size": 500, "noise": 0},
    "model": [{"type": "dense", "units": 8}, {"type": "signed_square"}, {"type": "dense", "units": 2}],
    "optimizer": {"type": "adam", "learning_rate": 0.01},
    "duration": {"epochs": 15}})",
                                              extensions);
  if (!setup.ok()) {
    std::fprintf(stderr, "%s\n", setup.error().message.c_str());
    return 1;
  }
  const auto outcome = triage::train(*setup);
  if (!outcome.ok() || !outcome->summary.figures)
    return 1;
  std::printf("test accuracy %.3f\n", *outcome->summary.figures->test_accuracy);
  return *outcome->summary.figures->test_accuracy > 0.9 ? 0 : 1;
}
