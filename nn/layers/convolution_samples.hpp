#pragma once

#include "nn/kernels/sample_convolution.hpp"
#include "nn/layer.hpp"
#include "nn/layers/convolution_shape.hpp"

namespace triage {

/// The gradients of single samples, of a stage that computes a convolution in layouts of its own.
class convolution_samples {
public:
  convolution_samples(const stage_request& r, const convolution_shape& shape, const tensor_layout& input,
                      const tensor_layout& output);

  /// Adds the shares of the layer's parameters; `b.output_gradient` is that behind the activation.
  void add(const stage_buffers& b, sample_gradients& samples);

private:
  /// A copy in plain layout, where the original has another.
  struct plain_copy {
    plain_copy(const stage_request& r, const tensor_layout& from, const sample_shape& shape);
    [[nodiscard]] const float* of(const float* data);
    kernel reorder;
    float_buffer copy;
  };

  sample_convolution convolution_;
  plain_copy input_;
  plain_copy gradient_;
  std::size_t batch_;
  std::size_t in_size_;
  std::size_t out_size_;
  std::size_t weight_;
  std::optional<std::size_t> bias_;
};

} // namespace triage
