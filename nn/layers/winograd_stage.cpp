#include "nn/layers/winograd_stage.hpp"

#include "nn/kernels/float_vectors.hpp"
#include "nn/kernels/rectifier.hpp"
#include "nn/kernels/winograd.hpp"
#include "nn/layers/convolution_samples.hpp"

namespace triage {

namespace {

class winograd_stage : public stage {
public:
  winograd_stage(const stage_request& r, const convolution_shape& shape, const winograd_convolution& c)
      : stage(tensor_layout::blocked(r.batch, shape.in, c.block),
              tensor_layout::blocked(r.batch, shape.out, c.block)),
        engine_(r.engine), c_(c), weight_(shape.weight), bias_(shape.bias),
        rectified_(shape.activation == "relu" || r.relu_follows),
        next_relu_(shape.activation == "none" && r.relu_follows), masks_(rectified_) {
    engine_.need_scratch(winograd_scratch_floats(c_) * sizeof(float));
    if (r.training && r.sample_gradients)
      samples_.emplace(r, shape, input_layout(), output_layout());
  }

  [[nodiscard]] bool applies_next_relu() const override { return next_relu_; }
  [[nodiscard]] bool ends_in_relu() const override { return rectified_; }
  void omit_relu_derivative() override { masks_ = false; }
  [[nodiscard]] bool backward_reads_output() const override { return masks_; }

  void forward(const pass& p) override {
    const float* const parameters = p.parameters.data();
    winograd_forward(c_, buffers().input, parameters + weight_, bias_ ? parameters + *bias_ : nullptr,
                     rectified_, buffers().output, scratch());
  }

  void backward(const pass& p) override {
    float* const gradient = buffers().output_gradient;
    if (masks_)
      rectifier_gradient(buffers().output, 0.0F, gradient, gradient, output_layout().floats());
    if (p.samples != nullptr)
      samples_->add(buffers(), *p.samples);
    if (!p.gradient.empty())
      winograd_windows_gradient(c_, buffers().input, gradient, p.gradient.data() + weight_,
                                bias_ ? p.gradient.data() + *bias_ : nullptr, scratch());
    if (buffers().input_gradient != nullptr)
      winograd_input_gradient(c_, gradient, p.parameters.data() + weight_, buffers().input_gradient,
                              scratch());
  }

private:
  [[nodiscard]] float* scratch() { return static_cast<float*>(engine_.scratch()); }

  kernel_engine& engine_;
  winograd_convolution c_;
  std::size_t weight_;
  std::optional<std::size_t> bias_;
  bool rectified_;
  bool next_relu_;
  bool masks_; ///< does the derivative of its relu
  std::optional<convolution_samples> samples_;
};

} // namespace

std::unique_ptr<stage> make_winograd_stage(const stage_request& r, const convolution_shape& shape) {
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const std::size_t block = channel_block(size(shape.in.channels), size(shape.out.channels));
  if (block == 0 || (shape.activation != "none" && shape.activation != "relu"))
    return nullptr;
  const winograd_convolution c{.images = size(r.batch),
                               .inputs = size(shape.in.channels),
                               .outputs = size(shape.out.channels),
                               .in_height = size(shape.in.height),
                               .in_width = size(shape.in.width),
                               .out_height = size(shape.out.height),
                               .out_width = size(shape.out.width),
                               .top = size(shape.place.top),
                               .left = size(shape.place.left),
                               .block = block};
  return std::make_unique<winograd_stage>(r, shape, c);
}

} // namespace triage
