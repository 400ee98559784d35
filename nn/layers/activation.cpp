#include "nn/kernels/rectifier.hpp"
#include "nn/layers/layers.hpp"
#include "nn/onnx/onnx_graph.hpp"

#include <optional>

namespace triage {

namespace {

/// Any element-wise function of oneDNN; works on every layout.
class activation_stage : public stage {
public:
  activation_stage(const stage_request& r, dnnl::algorithm algorithm, float alpha)
      : stage(r.incoming, r.incoming) {
    const auto& d = r.incoming.descriptor();
    const auto kind = r.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    const dnnl::eltwise_forward::primitive_desc forward({kind, algorithm, d, alpha, 0.0F},
                                                        kernel_attributes(), r.engine.engine());
    forward_ = kernel(r.engine, forward, dnnl::eltwise_forward(forward));
    forward_.add(DNNL_ARG_SRC, d);
    forward_.add(DNNL_ARG_DST, d);
    if (!r.training || !r.input_gradient)
      return;
    if (algorithm == dnnl::algorithm::eltwise_relu) {
      slope_ = alpha;
      return;
    }
    const dnnl::eltwise_backward::primitive_desc backward({algorithm, d, d, alpha, 0.0F}, kernel_attributes(),
                                                          r.engine.engine(), forward);
    backward_ = kernel(r.engine, backward, dnnl::eltwise_backward(backward));
    backward_.add(DNNL_ARG_SRC, d);
    backward_.add(DNNL_ARG_DIFF_DST, d);
    backward_.add(DNNL_ARG_DIFF_SRC, d);
  }
  void bind(const stage_buffers& b) override {
    stage::bind(b);
    forward_.set(DNNL_ARG_SRC, b.input);
    forward_.set(DNNL_ARG_DST, b.output);
    if (backward_.empty())
      return;
    backward_.set(DNNL_ARG_SRC, b.input);
    backward_.set(DNNL_ARG_DIFF_DST, b.output_gradient);
    backward_.set(DNNL_ARG_DIFF_SRC, b.input_gradient);
  }
  void forward(const pass&) override { forward_.run(); }
  void backward(const pass&) override {
    if (slope_)
      rectifier_gradient(buffers().input, *slope_, buffers().output_gradient, buffers().input_gradient,
                         input_layout().floats());
    else if (!backward_.empty())
      backward_.run();
  }

  [[nodiscard]] bool backward_reads_output() const override { return false; }

private:
  kernel forward_;
  kernel backward_;
  std::optional<float> slope_; ///< of a rectifier, whose derivative is our own
};

class activation_layer : public layer {
public:
  activation_layer(std::string_view type, dnnl::algorithm algorithm) : type_(type), algorithm_(algorithm) {}

  [[nodiscard]] std::string_view type() const override { return type_; }
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    return std::make_unique<activation_stage>(r, algorithm_, static_cast<float>(alpha_));
  }

  [[nodiscard]] result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                        const std::string&) const override {
    return graph.activate(input, type_, alpha_);
  }

protected:
  double alpha_ = 0.0;

private:
  std::string_view type_;
  dnnl::algorithm algorithm_;
};

class relu : public activation_layer {
public:
  relu() : activation_layer("relu", dnnl::algorithm::eltwise_relu) {}
  [[nodiscard]] bool is_relu() const override { return true; }
};

class leaky_relu : public activation_layer {
public:
  leaky_relu() : activation_layer("leaky_relu", dnnl::algorithm::eltwise_relu) { alpha_ = 0.01; }
  void visit(option_visitor& v) override {
    v.field({.name = "slope", .doc = "factor on negative values", .min = 0.0, .max = 1.0}, alpha_);
  }
};

} // namespace

std::unique_ptr<layer> make_relu() {
  return std::make_unique<relu>();
}
std::unique_ptr<layer> make_leaky_relu() {
  return std::make_unique<leaky_relu>();
}
std::unique_ptr<layer> make_gelu() {
  return std::make_unique<activation_layer>("gelu", dnnl::algorithm::eltwise_gelu_erf);
}
std::unique_ptr<layer> make_tanh() {
  return std::make_unique<activation_layer>("tanh", dnnl::algorithm::eltwise_tanh);
}
std::unique_ptr<layer> make_sigmoid() {
  return std::make_unique<activation_layer>("sigmoid", dnnl::algorithm::eltwise_logistic);
}

} // namespace triage
