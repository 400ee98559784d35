#include "nn/layers/convolution_samples.hpp"
#include "nn/layers/convolution_shape.hpp"
#include "nn/layers/fused_activation.hpp"
#include "nn/layers/layers.hpp"
#include "nn/layers/pooled_convolution_stage.hpp"
#include "nn/layers/weighted_stage.hpp"
#include "nn/layers/window.hpp"
#include "nn/layers/winograd_stage.hpp"
#include "nn/onnx/onnx_window.hpp"
#include "nn/quantised/quantised_stage.hpp"

#include <fmt/format.h>
#include <optional>
#include <string_view>

namespace triage {

namespace {

using desc = dnnl::memory::desc;
using dims = dnnl::memory::dims;
using tag = dnnl::memory::format_tag;
using number = dnnl::memory::data_type;
constexpr auto f32 = number::f32;
constexpr auto direct = dnnl::algorithm::convolution_direct;

using forward_op = dnnl::convolution_forward;
using weights_op = dnnl::convolution_backward_weights;
using data_op = dnnl::convolution_backward_data;

forward_op::primitive_desc forward_descriptor(const convolution_shape& c, const stage_request& r,
                                              tag images) {
  const auto kind = r.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const desc source({r.batch, c.in.channels, c.in.height, c.in.width}, c.multiplied, images);
  const desc output({r.batch, c.out.channels, c.out.height, c.out.width}, f32, images);
  const auto attributes = fused_attributes(c.activation);
  if (c.bias)
    return {{kind, direct, source, c.weights(true, c.multiplied), c.bias_layout(), output, c.strides(),
             c.before(), c.after()},
            attributes,
            r.engine.engine()};
  return {{kind, direct, source, c.weights(true, c.multiplied), output, c.strides(), c.before(), c.after()},
          attributes,
          r.engine.engine()};
}

weights_op::primitive_desc weights_descriptor(const convolution_shape& c, const stage_request& r,
                                              const forward_op::primitive_desc& forward, const desc& source,
                                              const desc& output) {
  if (c.bias)
    return {{direct, source, c.weights(true), c.bias_layout(), output, c.strides(), c.before(), c.after()},
            kernel_attributes(),
            r.engine.engine(),
            forward};
  return {{direct, source, c.weights(true), output, c.strides(), c.before(), c.after()},
          kernel_attributes(),
          r.engine.engine(),
          forward};
}

data_op::primitive_desc data_descriptor(const convolution_shape& c, const stage_request& r,
                                        const forward_op::primitive_desc& forward, const desc& source,
                                        const desc& output) {
  return {{direct, source, c.weights(true, c.multiplied), output, c.strides(), c.before(), c.after()},
          kernel_attributes(),
          r.engine.engine(),
          forward};
}

/// Whether oneDNN has only its plain loops for it, which take up to a thousand times as long.
template <class Descriptor>
bool is_reference(const Descriptor& d) {
  return std::string_view(d.impl_info_str()).starts_with("ref");
}

/// The gradient of the weights; from images in other layouts than those of forward where it would be slow.
weights_op::primitive_desc fast_weights_descriptor(const convolution_shape& c, const stage_request& r,
                                                   const forward_op::primitive_desc& forward) {
  const auto source = forward.src_desc();
  const auto output = forward.dst_desc();
  auto same = weights_descriptor(c, r, forward, source, output);
  if (!is_reference(same))
    return same; // else AVX2 with one input channel, among others
  return weights_descriptor(c, r, forward, desc(source.dims(), f32, tag::any),
                            desc(output.dims(), f32, tag::any));
}

bool is_slow_backward(const convolution_shape& c, const stage_request& r,
                      const forward_op::primitive_desc& forward) {
  return (r.input_gradient &&
          is_reference(data_descriptor(c, r, forward, forward.src_desc(), forward.dst_desc()))) ||
         is_reference(fast_weights_descriptor(c, r, forward));
}

/// In the layouts that suit forward best; for training with fewer input channels than a vector register
/// holds, and with groups of few, those have no fast backward kernels: then with channels innermost.
forward_op::primitive_desc suitable_descriptor(const convolution_shape& c, const stage_request& r) {
  if (c.multiplied != f32)
    return forward_descriptor(c, r, tag::nhwc);
  auto liked = forward_descriptor(c, r, tag::any);
  if (!r.training || !is_slow_backward(c, r, liked))
    return liked;
  auto channels_last = forward_descriptor(c, r, tag::nhwc);
  return is_reference(channels_last) || is_slow_backward(c, r, channels_last) ? liked : channels_last;
}

/// Images with channels innermost, as all kernels for bfloat16 take them.
desc channels_last(std::int64_t batch, const sample_shape& shape, number type) {
  return {{batch, shape.channels, shape.height, shape.width}, type, tag::nhwc};
}

/// The shape to compute with: in bfloat16 where that is asked for and there are kernels for it, which is not
/// worth its conversions below 16 input channels.
convolution_shape in_precision(convolution_shape c, const stage_request& r) {
  if (!r.bfloat16 || c.groups != 1 || c.in.channels < 16)
    return c;
  convolution_shape rounded = c;
  rounded.multiplied = number::bf16;
  const auto forward = forward_descriptor(rounded, r, tag::nhwc);
  const auto source = channels_last(r.batch, c.in, number::bf16);
  const auto output = channels_last(r.batch, c.out, number::bf16);
  const bool slow =
      is_reference(forward) || is_reference(weights_descriptor(rounded, r, forward, source, output)) ||
      is_reference(data_descriptor(rounded, r, forward, channels_last(r.batch, c.in, f32), output));
  return slow ? c : rounded;
}

class conv2d_stage : public weighted_stage {
public:
  conv2d_stage(const stage_request& r, const convolution_shape& shape)
      : conv2d_stage(r, in_precision(shape, r), shape.activation) {}

private:
  conv2d_stage(const stage_request& r, const convolution_shape& shape, const std::string& own_activation)
      : conv2d_stage(r, with_activation(shape, activation_for(r, own_activation)), own_activation, nullptr) {}

  conv2d_stage(const stage_request& r, const convolution_shape& shape, const std::string& own_activation,
               std::nullptr_t)
      : conv2d_stage(r, shape, own_activation, suitable_descriptor(shape, r)) {}

  static convolution_shape with_activation(convolution_shape shape, const std::string& activation) {
    shape.activation = activation;
    return shape;
  }

  conv2d_stage(const stage_request& r, convolution_shape shape, const std::string& own_activation,
               const forward_op::primitive_desc& forward)
      : weighted_stage(tensor_layout(shape.multiplied == f32 ? forward.src_desc()
                                                             : channels_last(r.batch, shape.in, f32)),
                       tensor_layout(forward.dst_desc()), {shape.weight, shape.bias}),
        c_(std::move(shape)) {
    const auto source = forward.src_desc();
    const auto output = forward.dst_desc();
    const bool rounded = c_.multiplied != f32;
    const auto output_gradient = rounded ? channels_last(r.batch, c_.out, c_.multiplied) : output;
    const auto storage = c_.weights(false);
    forward_ = kernel(r.engine, forward, forward_op(forward));
    forward_.add(DNNL_ARG_SRC, source);
    forward_.add(DNNL_ARG_WEIGHTS, forward.weights_desc());
    if (c_.bias)
      forward_.add(DNNL_ARG_BIAS, c_.bias_layout());
    forward_.add(DNNL_ARG_DST, output);
    forward_weights_ = weight_binding(r.engine, weight_binding::use::read, storage, forward.weights_desc());
    set_activation(r, own_activation);
    if (!r.training)
      return;
    if (r.sample_gradients)
      samples_.emplace(r, c_, input_layout(), output_layout());

    const auto weights = rounded ? weights_descriptor(c_, r, forward, source, output_gradient)
                                 : fast_weights_descriptor(c_, r, forward);
    if (rounded)
      convert_for_all(r.engine, {input_layout().descriptor(), source}, {output, output_gradient});
    else
      convert_for_weights_gradient(r.engine, weights.src_desc(), weights.diff_dst_desc());
    weights_gradient_ = kernel(r.engine, weights, weights_op(weights));
    weights_gradient_.add(DNNL_ARG_SRC, weights.src_desc());
    weights_gradient_.add(DNNL_ARG_DIFF_DST, weights.diff_dst_desc());
    weights_gradient_.add(DNNL_ARG_DIFF_WEIGHTS, weights.diff_weights_desc());
    if (c_.bias)
      weights_gradient_.add(DNNL_ARG_DIFF_BIAS, c_.bias_layout());
    gradient_weights_ =
        weight_binding(r.engine, weight_binding::use::write, storage, weights.diff_weights_desc());
    if (!r.input_gradient)
      return;

    const auto data = data_descriptor(c_, r, forward, input_layout().descriptor(), output_gradient);
    input_gradient_ = kernel(r.engine, data, data_op(data));
    input_gradient_.add(DNNL_ARG_DIFF_SRC, input_layout().descriptor());
    input_gradient_.add(DNNL_ARG_WEIGHTS, data.weights_desc());
    input_gradient_.add(DNNL_ARG_DIFF_DST, output_gradient);
    backward_weights_.emplace(r.engine, weight_binding::use::read, storage, data.weights_desc());
  }

  void add_sample_gradients(sample_gradients& samples) override { samples_->add(buffers(), samples); }

  convolution_shape c_;
  std::optional<convolution_samples> samples_;
};

class conv2d : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "conv2d"; }
  [[nodiscard]] bool has_parameters() const override { return true; }
  [[nodiscard]] bool has_sample_gradients() const override { return true; }
  [[nodiscard]] double flops() const override {
    const std::int64_t inputs = input_.channels / groups_; // without a rest, as connect has checked
    return 2.0 * static_cast<double>(output_.size()) * static_cast<double>(inputs) *
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
    v.field({.name = "algorithm",
             .doc =
                 "auto: Winograd's for 3x3 windows of stride 1 over 16 and more channels, where it is twice "
                 "as fast and errs by about 1e-6; direct elsewhere, together with the relu and max pool of "
                 "2x2 behind a "
                 "first convolution of at most 9 values a window",
             .choices = {"auto", "direct"}},
            algorithm_);
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
    const convolution_shape shape{input_,
                                  output_,
                                  groups_,
                                  window_.size,
                                  window_.step(),
                                  place_,
                                  activation_,
                                  f32,
                                  layout[weight_].offset,
                                  bias_ ? std::optional<std::size_t>(layout[bias_index_].offset)
                                        : std::nullopt};
    if (algorithm_ == "auto")
      if (auto fast = make_pooled_convolution_stage(r, shape))
        return fast;
    const bool in_bfloat16 = r.bfloat16 && has_bfloat16();
    if (algorithm_ == "auto" && !in_bfloat16 && suits_winograd(window_, groups_, input_, output_))
      if (auto fast = make_winograd_stage(r, shape))
        return fast;
    return std::make_unique<conv2d_stage>(r, shape);
  }

  [[nodiscard]] std::unique_ptr<quantised_stage> quantise(const quantised_request& r) const override {
    const bool rectified = activation_ == "relu" || (activation_ == "none" && r.relu_follows);
    if (r.is_last || !rectified || groups_ != 1)
      return nullptr;
    const auto& layout = *parameters_;
    const quantised_weights weights{
        layout[weight_].offset, bias_ ? std::optional<std::size_t>(layout[bias_index_].offset) : std::nullopt,
        dnnl::memory::desc({filters_, input_.channels, window_.size, window_.size}, f32, tag::oihw)};
    const quantised_window place{window_.size, window_.step(), place_};
    return r.is_input ? make_quantised_input_convolution(r, input_, output_, place, weights)
                      : make_quantised_convolution(r, input_, output_, place, weights);
  }

  [[nodiscard]] result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                        const std::string& prefix) const override {
    std::vector<std::string> inputs = {graph.as_images(input).name, graph.tensor(prefix + "weight")};
    if (bias_)
      inputs.push_back(graph.tensor(prefix + "bias"));
    auto attributes = onnx_window(window_.size, window_.step(), place_);
    attributes.push_back({"group", groups_});
    const onnx_value out{graph.add("Conv", std::move(inputs), std::move(attributes)), output_, true};
    return graph.activate(out, activation_);
  }

private:
  std::int64_t filters_ = 1;
  window window_{3, 1, json_value("same")};
  std::int64_t groups_ = 1;
  std::string activation_ = "none";
  bool bias_ = true;
  std::string algorithm_ = "auto";
  window::placement place_;
  std::size_t weight_ = 0;
  std::size_t bias_index_ = 0;
};

} // namespace

std::unique_ptr<layer> make_conv2d() {
  return std::make_unique<conv2d>();
}

} // namespace triage
