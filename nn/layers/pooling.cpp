#include "nn/kernels/rectifier.hpp"
#include "nn/layers/layers.hpp"
#include "nn/layers/window.hpp"
#include "nn/quantised/quantised_stage.hpp"

#include <fmt/format.h>

namespace triage {

namespace {

using desc = dnnl::memory::desc;
using dims = dnnl::memory::dims;
using tag = dnnl::memory::format_tag;
constexpr auto f32 = dnnl::memory::data_type::f32;

struct pool_shape {
  dnnl::algorithm algorithm = dnnl::algorithm::pooling_max;
  sample_shape out;
  dims size;
  dims strides;
  dims before;
  dims after;
};

using forward_op = dnnl::pooling_forward;

forward_op::primitive_desc forward_descriptor(const pool_shape& p, const stage_request& r) {
  const auto kind = r.training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const desc output({r.batch, p.out.channels, p.out.height, p.out.width}, f32, tag::any);
  return {{kind, p.algorithm, r.incoming.descriptor(), output, p.strides, p.size, p.before, p.after},
          kernel_attributes(),
          r.engine.engine()};
}

/// Works in the layout that comes in.
class pool_stage : public stage {
public:
  pool_stage(const stage_request& r, const pool_shape& p) : pool_stage(r, p, forward_descriptor(p, r)) {}

  void bind(const stage_buffers& b) override {
    stage::bind(b);
    forward_.set(DNNL_ARG_SRC, b.input);
    forward_.set(DNNL_ARG_DST, b.output);
    if (choices_.size() > 0)
      forward_.set_bytes(DNNL_ARG_WORKSPACE, choices_.data());
    if (backward_.empty())
      return;
    backward_.set(DNNL_ARG_DIFF_DST, b.output_gradient);
    backward_.set(DNNL_ARG_DIFF_SRC, b.input_gradient);
    if (choices_.size() > 0)
      backward_.set_bytes(DNNL_ARG_WORKSPACE, choices_.data());
  }
  void forward(const pass&) override { forward_.run(); }
  void backward(const pass&) override {
    if (backward_.empty())
      return;
    // The largest of a window is positive or nothing in it is: masking what is pooled masks what was.
    if (masks_)
      rectifier_gradient(buffers().output, 0.0F, buffers().output_gradient, buffers().output_gradient,
                         output_layout().floats());
    backward_.run();
  }
  [[nodiscard]] bool take_over_relu_derivative() override { return masks_ = is_max_; }

private:
  pool_stage(const stage_request& r, const pool_shape& p, const forward_op::primitive_desc& forward)
      : stage(r.incoming, tensor_layout(forward.dst_desc())),
        is_max_(p.algorithm == dnnl::algorithm::pooling_max) {
    const bool remembers = r.training && p.algorithm == dnnl::algorithm::pooling_max;
    forward_ = kernel(r.engine, forward, forward_op(forward));
    forward_.add(DNNL_ARG_SRC, forward.src_desc());
    forward_.add(DNNL_ARG_DST, forward.dst_desc());
    if (remembers) {
      choices_ = float_buffer((forward.workspace_desc().get_size() + sizeof(float) - 1) / sizeof(float));
      forward_.add(DNNL_ARG_WORKSPACE, forward.workspace_desc());
    }
    if (!r.training || !r.input_gradient)
      return;
    using op = dnnl::pooling_backward;
    const op::primitive_desc backward(
        {p.algorithm, forward.src_desc(), forward.dst_desc(), p.strides, p.size, p.before, p.after},
        kernel_attributes(), r.engine.engine(), forward);
    backward_ = kernel(r.engine, backward, op(backward));
    backward_.add(DNNL_ARG_DIFF_SRC, forward.src_desc());
    backward_.add(DNNL_ARG_DIFF_DST, forward.dst_desc());
    if (remembers)
      backward_.add(DNNL_ARG_WORKSPACE, forward.workspace_desc());
  }

  bool is_max_ = false;
  bool masks_ = false; ///< does the derivative of the relu before
  kernel forward_;
  kernel backward_;
  float_buffer choices_; ///< which element of each window was the largest
};

class pool_layer : public layer {
public:
  pool_layer(std::string_view type, dnnl::algorithm algorithm) : type_(type), algorithm_(algorithm) {}
  [[nodiscard]] std::string_view type() const override { return type_; }

  void visit(option_visitor& v) override {
    v.field({.name = "size", .doc = "side of the square window", .min = 1, .max = 1024}, window_.size);
    v.field({.name = "stride", .doc = "step of the window; 0: as large as the window", .min = 0, .max = 1024},
            window_.stride);
    v.field({.name = "padding", .doc = "\"same\", \"valid\", or pixels on each side"}, window_.padding);
  }

  result<sample_shape> connect(const sample_shape& input) override {
    input_ = input;
    const auto place = window_.place(input);
    if (!place.ok())
      return place.error();
    place_ = *place;
    return output_ = {input.channels, place_.out_height, place_.out_width};
  }

  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    return std::make_unique<pool_stage>(r, pool_shape{algorithm_,
                                                      output_,
                                                      {window_.size, window_.size},
                                                      {window_.step(), window_.step()},
                                                      {place_.top, place_.left},
                                                      {place_.bottom, place_.right}});
  }

  [[nodiscard]] std::unique_ptr<quantised_stage> quantise(const quantised_request& r) const override {
    if (r.is_last || r.is_input) // the samples are not channels-last images
      return nullptr;
    return make_quantised_pool(r, output_, {window_.size, window_.step(), place_}, algorithm_);
  }

private:
  std::string_view type_;
  dnnl::algorithm algorithm_;
  window window_;
  window::placement place_;
};

/// The mean over each whole plane; its 1x1 image and a vector are the same memory.
class global_avg_pool : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "global_avg_pool"; }
  result<sample_shape> connect(const sample_shape& input) override {
    input_ = input;
    return output_ = {input.channels, 1, 1};
  }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    const dims plane = {input_.height, input_.width};
    return std::make_unique<pool_stage>(
        r, pool_shape{dnnl::algorithm::pooling_avg_exclude_padding, output_, plane, plane, {0, 0}, {0, 0}});
  }
};

} // namespace

std::unique_ptr<layer> make_max_pool() {
  return std::make_unique<pool_layer>("max_pool", dnnl::algorithm::pooling_max);
}
std::unique_ptr<layer> make_avg_pool() {
  return std::make_unique<pool_layer>("avg_pool", dnnl::algorithm::pooling_avg_exclude_padding);
}
std::unique_ptr<layer> make_global_avg_pool() {
  return std::make_unique<global_avg_pool>();
}

} // namespace triage
