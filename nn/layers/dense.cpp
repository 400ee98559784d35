#include "nn/kernels/row_norms.hpp"
#include "nn/layers/fused_activation.hpp"
#include "nn/layers/layers.hpp"
#include "nn/layers/weighted_stage.hpp"
#include "nn/onnx/onnx_graph.hpp"
#include "nn/quantised/quantised_stage.hpp"

#include <fmt/format.h>
#include <optional>
#include <utility>

namespace triage {

namespace {

using desc = dnnl::memory::desc;
using tag = dnnl::memory::format_tag;
using number = dnnl::memory::data_type;
constexpr auto f32 = number::f32;

/// What the stages of a dense layer need to know about it.
struct dense_shape {
  sample_shape input;
  std::int64_t in = 0; ///< input.size()
  std::int64_t out = 0;
  std::string activation;
  std::size_t weight = 0;          ///< offset in the flat block
  std::optional<std::size_t> bias; ///< offset in the flat block
  desc storage;                    ///< of the weight in the flat block
};

dnnl::inner_product_forward::primitive_desc forward_descriptor(const dense_shape& d, std::int64_t batch,
                                                               bool training, const desc& weights,
                                                               const dnnl::engine& engine,
                                                               number multiplied = f32) {
  const auto kind = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const desc source({batch, d.in}, multiplied, tag::nc);
  const desc bias({d.out}, f32, tag::a);
  const desc output({batch, d.out}, f32, tag::nc);
  const auto attributes = fused_attributes(d.activation);
  if (d.bias)
    return {{kind, source, weights, bias, output}, attributes, engine};
  return {{kind, source, weights, output}, attributes, engine};
}

/// oneDNN's choice of weight layout is tried first in the layout of the block, then freely. Weights that are
/// rounded are copied anyway.
template <class Make>
auto with_storage(const dense_shape& d, number multiplied, Make make) {
  if (multiplied == f32) {
    try {
      return make(d.storage);
    } catch (const dnnl::error&) {
    }
  }
  return make(desc({d.out, d.in}, multiplied, tag::any));
}

class dense_stage : public weighted_stage {
public:
  dense_stage(const stage_request& r, dense_shape shape)
      : weighted_stage(tensor_layout::plain(r.batch, shape.input),
                       tensor_layout::plain(r.batch, {shape.out, 1, 1}), {shape.weight, shape.bias}),
        d_(std::move(shape)) {
    const std::string own_activation = std::exchange(d_.activation, activation_for(r, d_.activation));
    const auto& e = r.engine.engine();
    const number multiplied = r.bfloat16 ? number::bf16 : f32;
    const desc source({r.batch, d_.in}, multiplied, tag::nc); // a plain image is a row: the same memory
    const desc output({r.batch, d_.out}, f32, tag::nc);
    const desc bias({d_.out}, f32, tag::a);
    const auto forward = with_storage(d_, multiplied, [&](const desc& w) {
      return forward_descriptor(d_, r.batch, r.training, w, e, multiplied);
    });
    forward_ = kernel(r.engine, forward, dnnl::inner_product_forward(forward));
    forward_.add(DNNL_ARG_SRC, source);
    forward_.add(DNNL_ARG_WEIGHTS, forward.weights_desc());
    if (d_.bias)
      forward_.add(DNNL_ARG_BIAS, bias);
    forward_.add(DNNL_ARG_DST, output);
    forward_weights_ =
        weight_binding(r.engine, weight_binding::use::read, d_.storage, forward.weights_desc());
    set_activation(r, own_activation);
    if (!r.training)
      return;
    if (r.sample_gradients)
      compile_projection(r);
    const desc output_gradient({r.batch, d_.out}, multiplied, tag::nc);
    if (r.bfloat16)
      convert_for_all(r.engine, {desc({r.batch, d_.in}, f32, tag::nc), source}, {output, output_gradient});

    const auto weights = with_storage(d_, f32, [&](const desc& w) {
      using op = dnnl::inner_product_backward_weights;
      return d_.bias ? op::primitive_desc({source, w, bias, output_gradient}, kernel_attributes(), e, forward)
                     : op::primitive_desc({source, w, output_gradient}, kernel_attributes(), e, forward);
    });
    weights_gradient_ = kernel(r.engine, weights, dnnl::inner_product_backward_weights(weights));
    weights_gradient_.add(DNNL_ARG_SRC, source);
    weights_gradient_.add(DNNL_ARG_DIFF_DST, output_gradient);
    weights_gradient_.add(DNNL_ARG_DIFF_WEIGHTS, weights.diff_weights_desc());
    if (d_.bias)
      weights_gradient_.add(DNNL_ARG_DIFF_BIAS, bias);
    gradient_weights_ =
        weight_binding(r.engine, weight_binding::use::write, d_.storage, weights.diff_weights_desc());
    if (!r.input_gradient)
      return;

    const desc input_gradient({r.batch, d_.in}, f32, tag::nc);
    const auto data = with_storage(d_, multiplied, [&](const desc& w) {
      return dnnl::inner_product_backward_data::primitive_desc({input_gradient, w, output_gradient},
                                                               kernel_attributes(), e, forward);
    });
    input_gradient_ = kernel(r.engine, data, dnnl::inner_product_backward_data(data));
    input_gradient_.add(DNNL_ARG_DIFF_SRC, input_gradient);
    input_gradient_.add(DNNL_ARG_WEIGHTS, data.weights_desc());
    input_gradient_.add(DNNL_ARG_DIFF_DST, output_gradient);
    if (!(data.weights_desc() == forward.weights_desc()))
      backward_weights_.emplace(r.engine, weight_binding::use::read, d_.storage, data.weights_desc());
  }

private:
  void compile_projection(const stage_request& r) {
    dense_shape linear = d_;
    linear.activation = "none";
    const auto forward = with_storage(linear, f32, [&](const desc& w) {
      return forward_descriptor(linear, r.batch, false, w, r.engine.engine());
    });
    projection_ = kernel(r.engine, forward, dnnl::inner_product_forward(forward));
    projection_.add(DNNL_ARG_SRC, forward.src_desc());
    projection_.add(DNNL_ARG_WEIGHTS, forward.weights_desc());
    if (d_.bias)
      projection_.add(DNNL_ARG_BIAS, desc({d_.out}, f32, tag::a));
    projection_.add(DNNL_ARG_DST, forward.dst_desc());
    projection_weights_ =
        weight_binding(r.engine, weight_binding::use::read, d_.storage, forward.weights_desc());
    image_ = float_buffer(static_cast<std::size_t>(r.batch * d_.out));
    norms_.resize(static_cast<std::size_t>(r.batch));
  }

  /// A sample's gradient is the outer product of its output gradient d and its input h (Goodfellow 2015): its
  /// norm is ||d|| ||(h, 1)||, and its projection on V is <d, V (h, 1)>, a forward pass with V as weights.
  void add_sample_gradients(sample_gradients& samples) override {
    const auto in = static_cast<std::size_t>(d_.in);
    const auto out = static_cast<std::size_t>(d_.out);
    const float* const gradient = buffers().output_gradient;
    if (!samples.squared_norms.empty()) {
      row_norms(buffers().input, in, norms_);
      for (std::size_t i = 0; i < norms_.size(); ++i)
        samples.squared_norms[i] +=
            dot(gradient + i * out, gradient + i * out, out) *
            (static_cast<double>(norms_[i]) * static_cast<double>(norms_[i]) + (d_.bias ? 1.0 : 0.0));
    }
    if (samples.projections.empty())
      return;
    projection_.set(DNNL_ARG_SRC, buffers().input);
    projection_.set(DNNL_ARG_WEIGHTS, projection_weights_.load(samples.direction.data() + d_.weight));
    if (d_.bias)
      projection_.set(DNNL_ARG_BIAS, samples.direction.data() + *d_.bias);
    projection_.set(DNNL_ARG_DST, image_.data());
    projection_.run();
    for (std::size_t i = 0; i < norms_.size(); ++i)
      samples.projections[i] += dot(gradient + i * out, image_.data() + i * out, out);
  }
  static double dot(const float* a, const float* b, std::size_t n) {
    double sum = 0.0;
    for (std::size_t i = 0; i < n; ++i)
      sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
  }

  dense_shape d_;
  kernel projection_; ///< the layer without its activation; arguments SRC, WEIGHTS, BIAS, DST
  weight_binding projection_weights_;
  float_buffer image_;
  std::vector<float> norms_;
};

class dense : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "dense"; }
  [[nodiscard]] bool has_parameters() const override { return true; }
  [[nodiscard]] bool has_sample_gradients() const override { return true; }
  [[nodiscard]] double flops() const override { return 2.0 * static_cast<double>(input_.size() * units_); }

  void visit(option_visitor& v) override {
    v.field({.name = "units", .doc = "number of outputs", .min = 1, .max = 1e8, .required = true}, units_);
    v.field({.name = "activation", .doc = "applied to the outputs", .choices = fused_activation_names()},
            activation_);
    v.field({.name = "bias", .doc = "whether a bias is added"}, bias_);
  }

  result<sample_shape> connect(const sample_shape& input) override {
    input_ = input;
    output_ = {units_, 1, 1};
    constexpr std::int64_t most = std::int64_t{1} << 31;
    if (input.size() > most / units_)
      return configuration_error(
          fmt::format("{} x {} weights are more than 2^31; use fewer units", input.size(), units_));
    return output_;
  }

  void declare(parameter_layout& layout, const std::string& prefix, std::int64_t batch_hint) override {
    kernel_engine engine;
    const desc plain({units_, input_.size()}, f32, tag::oi);
    dense_shape probe{
        input_, input_.size(), units_, activation_, 0, bias_ ? std::optional<std::size_t>(0) : std::nullopt,
        {}};
    const auto chosen = forward_descriptor(probe, batch_hint, true,
                                           desc({units_, input_.size()}, f32, tag::any), engine.engine())
                            .weights_desc();
    auto packing = make_packing(plain, chosen);
    storage_ = packing ? chosen : plain;
    weight_ = layout.add({.name = prefix + "weight",
                          .shape = {units_, input_.size()},
                          .init = initialiser_for(activation_),
                          .packing = std::move(packing)});
    if (bias_)
      bias_index_ = layout.add({.name = prefix + "bias", .shape = {units_}, .decayed = false});
  }

  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    const auto& layout = *parameters_;
    return std::make_unique<dense_stage>(
        r,
        dense_shape{input_, input_.size(), units_, activation_, layout[weight_].offset,
                    bias_ ? std::optional<std::size_t>(layout[bias_index_].offset) : std::nullopt, storage_});
  }

  [[nodiscard]] std::unique_ptr<quantised_stage> quantise(const quantised_request& r) const override {
    const bool rectified = activation_ == "relu" || (activation_ == "none" && r.relu_follows);
    if (r.is_last ? activation_ != "none" : !rectified)
      return nullptr;
    const auto& layout = *parameters_;
    return make_quantised_dense(
        r, input_, units_,
        {layout[weight_].offset,
         bias_ ? std::optional<std::size_t>(layout[bias_index_].offset) : std::nullopt, storage_});
  }

  [[nodiscard]] result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                        const std::string& prefix) const override {
    std::vector<std::string> inputs = {graph.as_rows(input).name, graph.tensor(prefix + "weight")};
    if (bias_)
      inputs.push_back(graph.tensor(prefix + "bias"));
    const onnx_value out{graph.add("Gemm", std::move(inputs), {{"transB", std::int64_t{1}}}), output_, false};
    return graph.activate(out, activation_);
  }

private:
  std::int64_t units_ = 1;
  std::string activation_ = "none";
  bool bias_ = true;
  std::size_t weight_ = 0;
  std::size_t bias_index_ = 0;
  desc storage_;
};

} // namespace

std::unique_ptr<layer> make_dense() {
  return std::make_unique<dense>();
}

} // namespace triage
