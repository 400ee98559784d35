#include "nn/layers/pooled_convolution_stage.hpp"

#include "nn/kernels/float_vectors.hpp"
#include "nn/kernels/pooled_convolution.hpp"

namespace triage {

namespace {

class pooled_convolution_stage : public stage {
public:
  pooled_convolution_stage(const stage_request& r, const convolution_shape& shape,
                           const pooled_convolution& c)
      : stage(tensor_layout::plain(r.batch, shape.in),
              tensor_layout::blocked(r.batch, {shape.out.channels, shape.out.height / 2, shape.out.width / 2},
                                     c.block)),
        engine_(r.engine), c_(c), weight_(shape.weight), bias_(shape.bias),
        applies_relu_(shape.activation == "none"), choices_(r.training ? c.out_floats() : 0) {
    engine_.need_scratch(pooled_convolution_scratch_floats(c_) * sizeof(float));
  }

  [[nodiscard]] bool applies_next_relu() const override { return applies_relu_; }
  [[nodiscard]] bool applies_next_pool() const override { return true; }

  void forward(const pass& p) override {
    const float* const parameters = p.parameters.data();
    pooled_convolution_forward(c_, buffers().input, parameters + weight_,
                               bias_ ? parameters + *bias_ : nullptr, buffers().output,
                               choices_.empty() ? nullptr : choices_.data(), scratch());
  }
  void backward(const pass& p) override {
    if (!p.gradient.empty())
      pooled_convolution_gradient(c_, buffers().input, buffers().output, choices_.data(),
                                  buffers().output_gradient, p.gradient.data() + weight_,
                                  bias_ ? p.gradient.data() + *bias_ : nullptr, scratch());
  }

private:
  [[nodiscard]] float* scratch() { return static_cast<float*>(engine_.scratch()); }

  kernel_engine& engine_;
  pooled_convolution c_;
  std::size_t weight_;
  std::optional<std::size_t> bias_;
  bool applies_relu_;
  std::vector<std::uint8_t> choices_;
};

} // namespace

std::unique_ptr<stage> make_pooled_convolution_stage(const stage_request& r, const convolution_shape& shape) {
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const bool rectified = shape.activation == "relu" || (shape.activation == "none" && r.relu_follows);
  const std::size_t block = channel_block(size(shape.out.channels), size(shape.out.channels));
  if (!r.pool_follows || r.input_gradient || r.sample_gradients || !rectified || shape.groups != 1 ||
      shape.step != 1 || block == 0)
    return nullptr;
  const pooled_convolution c{.images = size(r.batch),
                             .inputs = size(shape.in.channels),
                             .outputs = size(shape.out.channels),
                             .in_height = size(shape.in.height),
                             .in_width = size(shape.in.width),
                             .out_height = size(shape.out.height / 2),
                             .out_width = size(shape.out.width / 2),
                             .side = size(shape.size),
                             .top = size(shape.place.top),
                             .left = size(shape.place.left),
                             .block = block};
  if (c.taps() > pooled_convolution::most_taps)
    return nullptr;
  return std::make_unique<pooled_convolution_stage>(r, shape, c);
}

} // namespace triage
