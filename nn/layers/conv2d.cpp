#include "nn/layers/fused_activation.hpp"
#include "nn/layers/layers.hpp"
#include "nn/layers/weighted_stage.hpp"
#include "nn/layers/window.hpp"

#include <fmt/format.h>
#include <optional>

namespace triage {

namespace {

using desc = dnnl::memory::desc;
using dims = dnnl::memory::dims;
using tag = dnnl::memory::format_tag;
constexpr auto f32 = dnnl::memory::data_type::f32;
constexpr auto direct = dnnl::algorithm::convolution_direct;

struct conv_shape {
  sample_shape in;
  sample_shape out;
  std::int64_t groups = 1;
  std::int64_t size = 1;
  std::int64_t step = 1;
  window::placement place;
  std::string activation;
  std::size_t weight = 0;
  std::optional<std::size_t> bias;

  [[nodiscard]] dims strides() const { return {step, step}; }
  [[nodiscard]] dims before() const { return {place.top, place.left}; }
  [[nodiscard]] dims after() const { return {place.bottom, place.right}; }
  [[nodiscard]] desc weights(bool any) const {
    if (groups == 1)
      return {{out.channels, in.channels, size, size}, f32, any ? tag::any : tag::oihw};
    return {
        {groups, out.channels / groups, in.channels / groups, size, size}, f32, any ? tag::any : tag::goihw};
  }
  [[nodiscard]] desc bias_layout() const { return {{out.channels}, f32, tag::a}; }
};

using forward_op = dnnl::convolution_forward;

forward_op::primitive_desc forward_descriptor(const conv_shape& c, const stage_request& r) {
  const auto kind = r.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const desc source({r.batch, c.in.channels, c.in.height, c.in.width}, f32, tag::any);
  const desc output({r.batch, c.out.channels, c.out.height, c.out.width}, f32, tag::any);
  const auto attributes = fused_attributes(c.activation);
  if (c.bias)
    return {
        {kind, direct, source, c.weights(true), c.bias_layout(), output, c.strides(), c.before(), c.after()},
        attributes,
        r.engine.engine()};
  return {{kind, direct, source, c.weights(true), output, c.strides(), c.before(), c.after()},
          attributes,
          r.engine.engine()};
}

class conv2d_stage : public weighted_stage {
public:
  conv2d_stage(const stage_request& r, conv_shape shape) : conv2d_stage(r, std::move(shape), nullptr) {}

private:
  conv2d_stage(const stage_request& r, conv_shape shape, std::nullptr_t)
      : conv2d_stage(r, shape, forward_descriptor(shape, r)) {}

  conv2d_stage(const stage_request& r, conv_shape shape, const forward_op::primitive_desc& forward)
      : weighted_stage(tensor_layout(forward.src_desc()), tensor_layout(forward.dst_desc()),
                       {shape.weight, shape.bias}),
        c_(std::move(shape)) {
    const auto& e = r.engine.engine();
    const auto source = forward.src_desc();
    const auto output = forward.dst_desc();
    const auto storage = c_.weights(false);
    forward_ = kernel(r.engine, forward, forward_op(forward));
    forward_.add(DNNL_ARG_SRC, source);
    forward_.add(DNNL_ARG_WEIGHTS, forward.weights_desc());
    if (c_.bias)
      forward_.add(DNNL_ARG_BIAS, c_.bias_layout());
    forward_.add(DNNL_ARG_DST, output);
    forward_weights_ = weight_binding(r.engine, storage, forward.weights_desc());
    if (!r.training)
      return;

    activation_ = make_fused_backward(r.engine, c_.activation, output_layout());
    using weights_op = dnnl::convolution_backward_weights;
    const auto weights = c_.bias
                             ? weights_op::primitive_desc({direct, source, c_.weights(true), c_.bias_layout(),
                                                           output, c_.strides(), c_.before(), c_.after()},
                                                          kernel_attributes(), e, forward)
                             : weights_op::primitive_desc({direct, source, c_.weights(true), output,
                                                           c_.strides(), c_.before(), c_.after()},
                                                          kernel_attributes(), e, forward);
    weights_gradient_ = kernel(r.engine, weights, weights_op(weights));
    weights_gradient_.add(DNNL_ARG_SRC, source);
    weights_gradient_.add(DNNL_ARG_DIFF_DST, output);
    weights_gradient_.add(DNNL_ARG_DIFF_WEIGHTS, weights.diff_weights_desc());
    if (c_.bias)
      weights_gradient_.add(DNNL_ARG_DIFF_BIAS, c_.bias_layout());
    gradient_weights_ = weight_binding(r.engine, storage, weights.diff_weights_desc());
    if (!r.input_gradient)
      return;

    using data_op = dnnl::convolution_backward_data;
    const data_op::primitive_desc data(
        {direct, source, c_.weights(true), output, c_.strides(), c_.before(), c_.after()},
        kernel_attributes(), e, forward);
    input_gradient_ = kernel(r.engine, data, data_op(data));
    input_gradient_.add(DNNL_ARG_DIFF_SRC, source);
    input_gradient_.add(DNNL_ARG_WEIGHTS, data.weights_desc());
    input_gradient_.add(DNNL_ARG_DIFF_DST, output);
    backward_weights_ = weight_binding(r.engine, storage, data.weights_desc());
  }

  conv_shape c_;
};

class conv2d : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "conv2d"; }
  [[nodiscard]] bool has_parameters() const override { return true; }
  [[nodiscard]] double flops() const override {
    return 2.0 * static_cast<double>(output_.size()) * static_cast<double>(input_.channels / groups_) *
           static_cast<double>(window_.size * window_.size);
  }

  void visit(option_visitor& v) override {
    v.field({.name = "filters", .doc = "number of output channels", .min = 1, .max = 1e6, .required = true},
            filters_);
    v.field({.name = "kernel", .doc = "side of the square window", .min = 1, .max = 1024}, window_.size);
    v.field({.name = "stride", .doc = "step of the window", .min = 1, .max = 1024}, window_.stride);
    v.field({.name = "padding", .doc = "\"same\", \"valid\", or pixels on each side"}, window_.padding);
    v.field({.name = "groups", .doc = "channel groups that do not see each other", .min = 1, .max = 1e6},
            groups_);
    v.field({.name = "activation", .doc = "applied to the outputs", .choices = fused_activation_names()},
            activation_);
    v.field({.name = "bias", .doc = "whether a bias per channel is added"}, bias_);
  }

  result<sample_shape> connect(const sample_shape& input) override {
    input_ = input;
    if (input.channels % groups_ != 0 || filters_ % groups_ != 0)
      return configuration_error(
          fmt::format("groups ({}) must divide the input channels ({}) and the filters ({})", groups_,
                      input.channels, filters_));
    const auto place = window_.place(input);
    if (!place.ok())
      return place.error();
    place_ = *place;
    return output_ = {filters_, place_.out_height, place_.out_width};
  }

  void declare(parameter_layout& layout, const std::string& prefix, std::int64_t) override {
    // Small tensors, and the kernels of one step want different layouts: row-major storage costs next to
    // nothing.
    weight_ = layout.add({.name = prefix + "weight",
                          .shape = {filters_, input_.channels / groups_, window_.size, window_.size},
                          .init = initialiser_for(activation_)});
    if (bias_)
      bias_index_ = layout.add({.name = prefix + "bias", .shape = {filters_}, .decayed = false});
  }

  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    const auto& layout = *parameters_;
    return std::make_unique<conv2d_stage>(
        r, conv_shape{input_, output_, groups_, window_.size, window_.step(), place_, activation_,
                      layout[weight_].offset,
                      bias_ ? std::optional<std::size_t>(layout[bias_index_].offset) : std::nullopt});
  }

private:
  std::int64_t filters_ = 1;
  window window_{3, 1, json_value("same")};
  std::int64_t groups_ = 1;
  std::string activation_ = "none";
  bool bias_ = true;
  window::placement place_;
  std::size_t weight_ = 0;
  std::size_t bias_index_ = 0;
};

} // namespace

std::unique_ptr<layer> make_conv2d() {
  return std::make_unique<conv2d>();
}

} // namespace triage
