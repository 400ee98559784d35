#include "nn/kernels/pool_of_four.hpp"
#include "nn/kernels/rectifier.hpp"
#include "nn/layers/layers.hpp"
#include "nn/layers/window.hpp"
#include "nn/onnx/onnx_window.hpp"
#include "nn/quantised/quantised_stage.hpp"

#include <fmt/format.h>
#include <optional>

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
  [[nodiscard]] bool backward_reads_input() const override { return false; }
  [[nodiscard]] bool backward_reads_output() const override { return masks_; }

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

/// Maxima of windows of 2x2 that tile the image, which nearly all pools have; oneDNN's general kernels take
/// three times as long. Works in layouts whose innermost dimension is channels.
class pool_of_four_stage : public stage {
public:
  /// Nothing where the pool or the layout is another.
  static std::unique_ptr<stage> make(const stage_request& r, const pool_shape& p) {
    const sample_shape& out = p.out;
    const auto& from = r.incoming.descriptor();
    const dims two = {2, 2};
    const dims none = {0, 0};
    const dims image = {r.batch, out.channels, 2 * out.height, 2 * out.width};
    if (p.algorithm != dnnl::algorithm::pooling_max || p.size != two || p.strides != two ||
        p.before != none || p.after != none || from.dims() != image)
      return nullptr;
    for (const auto& [layout, block] :
         {std::pair{tag::nChw16c, std::int64_t{16}}, std::pair{tag::nChw8c, std::int64_t{8}},
          std::pair{tag::nhwc, out.channels}})
      if (out.channels % block == 0 && from == desc(image, f32, layout)) {
        const tensor_layout to(desc({r.batch, out.channels, out.height, out.width}, f32, layout));
        const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
        const pooled_images images{size(r.batch * (out.channels / block)), size(out.height), size(out.width),
                                   size(block)};
        return std::unique_ptr<stage>(new pool_of_four_stage(r, to, images));
      }
    return nullptr;
  }

  void forward(const pass&) override {
    largest_of_four(images_, buffers().input, buffers().output, choices_.empty() ? nullptr : choices_.data());
  }
  void backward(const pass&) override {
    if (buffers().input_gradient != nullptr)
      spread_to_chosen(images_, buffers().output_gradient, choices_.data(),
                       masks_ ? buffers().output : nullptr, buffers().input_gradient);
  }
  [[nodiscard]] bool take_over_relu_derivative() override { return masks_ = true; }
  [[nodiscard]] bool backward_reads_input() const override { return false; }
  [[nodiscard]] bool backward_reads_output() const override { return masks_; }

private:
  pool_of_four_stage(const stage_request& r, const tensor_layout& to, const pooled_images& images)
      : stage(r.incoming, to), images_(images), choices_(r.training ? images.pooled_floats() : 0) {}

  pooled_images images_;
  std::vector<std::uint8_t> choices_;
  bool masks_ = false; ///< does the derivative of the relu before
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

  [[nodiscard]] bool halves_by_maximum() const override {
    return algorithm_ == dnnl::algorithm::pooling_max && window_.size == 2 && window_.step() == 2 &&
           place_.top == 0 && place_.left == 0 && input_.height == 2 * output_.height &&
           input_.width == 2 * output_.width;
  }

  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    const pool_shape shape{algorithm_,
                           output_,
                           {window_.size, window_.size},
                           {window_.step(), window_.step()},
                           {place_.top, place_.left},
                           {place_.bottom, place_.right}};
    if (auto fast = pool_of_four_stage::make(r, shape))
      return fast;
    return std::make_unique<pool_stage>(r, shape);
  }

  [[nodiscard]] std::unique_ptr<quantised_stage> quantise(const quantised_request& r) const override {
    if (r.is_last || r.is_input) // the samples are not channels-last images
      return nullptr;
    return make_quantised_pool(r, output_, {window_.size, window_.step(), place_}, algorithm_);
  }

  [[nodiscard]] result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                        const std::string&) const override {
    const auto* const op = algorithm_ == dnnl::algorithm::pooling_max ? "MaxPool" : "AveragePool";
    const auto out =
        graph.add(op, {graph.as_images(input).name}, onnx_window(window_.size, window_.step(), place_));
    return onnx_value{out, output_, true};
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
  [[nodiscard]] result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                        const std::string&) const override {
    return graph.as_rows({graph.add("GlobalAveragePool", {graph.as_images(input).name}), output_, true});
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
