#include "nn/layers/layers.hpp"
#include "nn/onnx/onnx_graph.hpp"
#include "nn/quantised/quantised_stage.hpp"

namespace triage {

namespace {

class flatten_stage : public stage {
public:
  flatten_stage(const tensor_layout& in, const tensor_layout& out) : stage(in, out) {}
  [[nodiscard]] bool is_view() const override { return true; }
  void forward(const pass&) override {}
  void backward(const pass&) override {}
};

class flatten : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "flatten"; }
  result<sample_shape> connect(const sample_shape& input) override {
    input_ = input;
    return output_ = {input.size(), 1, 1};
  }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    return std::make_unique<flatten_stage>(tensor_layout::plain(r.batch, input_),
                                           tensor_layout::plain(r.batch, output_));
  }
  [[nodiscard]] std::unique_ptr<quantised_stage> quantise(const quantised_request& r) const override {
    return r.is_last ? nullptr : make_quantised_view(r.incoming);
  }
  [[nodiscard]] result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                        const std::string&) const override {
    const auto rows = graph.as_rows(input);
    return onnx_value{rows.name, output_, false};
  }
};

} // namespace

std::unique_ptr<layer> make_flatten() {
  return std::make_unique<flatten>();
}

} // namespace triage
