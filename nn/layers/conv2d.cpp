#include "nn/kernels/sample_convolution.hpp"
#include "nn/layers/fused_activation.hpp"
#include "nn/layers/layers.hpp"
#include "nn/layers/weighted_stage.hpp"
#include "nn/layers/window.hpp"
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
using algorithm = dnnl::algorithm;

struct conv_shape {
  sample_shape in;
  sample_shape out;
  std::int64_t groups = 1;
  std::int64_t size = 1;
  std::int64_t step = 1;
  window::placement place;
  std::string activation;
  bool winograd = false; ///< where the kernels offer it
  number multiplied = f32;
  std::size_t weight = 0;
  std::optional<std::size_t> bias;

  [[nodiscard]] dims strides() const { return {step, step}; }
  [[nodiscard]] dims before() const { return {place.top, place.left}; }
  [[nodiscard]] dims after() const { return {place.bottom, place.right}; }
  [[nodiscard]] desc weights(bool any, number type = f32) const {
    if (groups == 1)
      return {{out.channels, in.channels, size, size}, type, any ? tag::any : tag::oihw};
    return {
        {groups, out.channels / groups, in.channels / groups, size, size}, type, any ? tag::any : tag::goihw};
  }
  [[nodiscard]] desc bias_layout() const { return {{out.channels}, f32, tag::a}; }
};

using forward_op = dnnl::convolution_forward;
using weights_op = dnnl::convolution_backward_weights;
using data_op = dnnl::convolution_backward_data;

/// Makes a descriptor with the algorithm of Winograd where it is wanted and can be had, else with the direct
/// one.
template <class Make>
auto with_algorithm(const conv_shape& c, const Make& make) {
  if (c.winograd) {
    try {
      return make(algorithm::convolution_winograd);
    } catch (const dnnl::error&) {
      // No such kernel for this shape or processor.
    }
  }
  return make(algorithm::convolution_direct);
}

forward_op::primitive_desc forward_descriptor(const conv_shape& c, const stage_request& r, tag images) {
  const auto kind = r.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const desc source({r.batch, c.in.channels, c.in.height, c.in.width}, c.multiplied, images);
  const desc output({r.batch, c.out.channels, c.out.height, c.out.width}, f32, images);
  const auto attributes = fused_attributes(c.activation);
  return with_algorithm(c, [&](algorithm by) -> forward_op::primitive_desc {
    if (c.bias)
      return {{kind, by, source, c.weights(true, c.multiplied), c.bias_layout(), output, c.strides(),
               c.before(), c.after()},
              attributes,
              r.engine.engine()};
    return {{kind, by, source, c.weights(true, c.multiplied), output, c.strides(), c.before(), c.after()},
            attributes,
            r.engine.engine()};
  });
}

weights_op::primitive_desc weights_descriptor(const conv_shape& c, const stage_request& r,
                                              const forward_op::primitive_desc& forward, const desc& source,
                                              const desc& output) {
  return with_algorithm(c, [&](algorithm by) {
    return c.bias ? weights_op::primitive_desc({by, source, c.weights(true), c.bias_layout(), output,
                                                c.strides(), c.before(), c.after()},
                                               kernel_attributes(), r.engine.engine(), forward)
                  : weights_op::primitive_desc(
                        {by, source, c.weights(true), output, c.strides(), c.before(), c.after()},
                        kernel_attributes(), r.engine.engine(), forward);
  });
}

data_op::primitive_desc data_descriptor(const conv_shape& c, const stage_request& r,
                                        const forward_op::primitive_desc& forward, const desc& source,
                                        const desc& output) {
  return with_algorithm(c, [&](algorithm by) {
    return data_op::primitive_desc(
        {by, source, c.weights(true, c.multiplied), output, c.strides(), c.before(), c.after()},
        kernel_attributes(), r.engine.engine(), forward);
  });
}

/// Whether oneDNN has only its plain loops for it, which take up to a thousand times as long.
template <class Descriptor>
bool is_reference(const Descriptor& d) {
  return std::string_view(d.impl_info_str()).starts_with("ref");
}

/// The gradient of the weights; from images in other layouts than those of forward where it would be slow.
weights_op::primitive_desc fast_weights_descriptor(const conv_shape& c, const stage_request& r,
                                                   const forward_op::primitive_desc& forward) {
  const auto source = forward.src_desc();
  const auto output = forward.dst_desc();
  auto direct = weights_descriptor(c, r, forward, source, output);
  if (!is_reference(direct))
    return direct; // else AVX2 with one input channel, among others
  return weights_descriptor(c, r, forward, desc(source.dims(), f32, tag::any),
                            desc(output.dims(), f32, tag::any));
}

bool is_slow_backward(const conv_shape& c, const stage_request& r,
                      const forward_op::primitive_desc& forward) {
  return (r.input_gradient &&
          is_reference(data_descriptor(c, r, forward, forward.src_desc(), forward.dst_desc()))) ||
         is_reference(fast_weights_descriptor(c, r, forward));
}

/// In the layouts that suit forward best; for training with fewer input channels than a vector register
/// holds, and with groups of few, those have no fast backward kernels: then with channels innermost.
forward_op::primitive_desc suitable_descriptor(const conv_shape& c, const stage_request& r) {
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
conv_shape in_precision(conv_shape c, const stage_request& r) {
  if (!r.bfloat16 || c.groups != 1 || c.in.channels < 16)
    return c;
  conv_shape rounded = c;
  rounded.multiplied = number::bf16;
  rounded.winograd = false;
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
  conv2d_stage(const stage_request& r, const conv_shape& shape)
      : conv2d_stage(r, in_precision(shape, r), shape.activation) {}

private:
  conv2d_stage(const stage_request& r, const conv_shape& shape, const std::string& own_activation)
      : conv2d_stage(r, with_activation(shape, activation_for(r, own_activation)), own_activation, nullptr) {}

  conv2d_stage(const stage_request& r, const conv_shape& shape, const std::string& own_activation,
               std::nullptr_t)
      : conv2d_stage(r, shape, own_activation, suitable_descriptor(shape, r)) {}

  static conv_shape with_activation(conv_shape shape, const std::string& activation) {
    shape.activation = activation;
    return shape;
  }

  conv2d_stage(const stage_request& r, conv_shape shape, const std::string& own_activation,
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
      prepare_samples(r);

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

  void prepare_samples(const stage_request& r) {
    const convolution_geometry g{c_.in, c_.out, c_.groups, c_.size, c_.step, c_.place.top, c_.place.left};
    samples_.emplace(g, c_.bias.has_value(), cheaper_norm_form(g));
    const auto plain = [&](const tensor_layout& from, const sample_shape& shape, kernel& reorder,
                           float_buffer& copy) {
      const auto to = tensor_layout::plain(r.batch, shape);
      if (from == to)
        return;
      reorder = make_reorder(r.engine, from.descriptor(), to.descriptor());
      copy = float_buffer(to.floats());
      reorder.set(DNNL_ARG_TO, copy.data());
    };
    plain(input_layout(), c_.in, plain_input_, input_copy_);
    plain(output_layout(), c_.out, plain_gradient_, gradient_copy_);
    batch_ = static_cast<std::size_t>(r.batch);
  }

  void add_sample_gradients(sample_gradients& samples) override {
    const auto as_plain = [](kernel& reorder, float_buffer& copy, const float* data) {
      if (reorder.empty())
        return data;
      reorder.set(DNNL_ARG_FROM, data);
      reorder.run();
      return static_cast<const float*>(copy.data());
    };
    const float* const input = as_plain(plain_input_, input_copy_, buffers().input);
    const float* const gradient = as_plain(plain_gradient_, gradient_copy_, buffers().output_gradient);
    const auto in = static_cast<std::size_t>(c_.in.size());
    const auto out = static_cast<std::size_t>(c_.out.size());
    const float* const direction = samples.direction.data();
    for (std::size_t i = 0; i < batch_; ++i) {
      const float* const x = input + i * in;
      const float* const d = gradient + i * out;
      if (!samples.squared_norms.empty())
        samples.squared_norms[i] += samples_->squared_norm(x, d);
      if (!samples.projections.empty())
        samples.projections[i] +=
            samples_->projection(x, d, direction + c_.weight, c_.bias ? direction + *c_.bias : nullptr);
    }
  }

  conv_shape c_;
  // For the gradients of single samples.
  std::optional<sample_convolution> samples_;
  kernel plain_input_;
  kernel plain_gradient_;
  float_buffer input_copy_;
  float_buffer gradient_copy_;
  std::size_t batch_ = 0;
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
             .doc = "auto: Winograd's for 3x3 windows of stride 1 over 32 and more channels, where it is up "
                    "to twice "
                    "as fast and errs by about 1e-5; direct elsewhere",
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
    return std::make_unique<conv2d_stage>(
        r, conv_shape{input_, output_, groups_, window_.size, window_.step(), place_, activation_,
                      algorithm_ == "auto" && suits_winograd(window_, groups_, input_.channels, filters_),
                      f32, layout[weight_].offset,
                      bias_ ? std::optional<std::size_t>(layout[bias_index_].offset) : std::nullopt});
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
