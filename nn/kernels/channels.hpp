#pragma once

#include "nn/kernels/tensor_layout.hpp"

#include <cstddef>
#include <optional>

namespace triage {

/// How the channels of a batch lie in memory: for each sample and each block of channels, `plane` pixels of
/// `block` channels side by side. NCHW has blocks of 1; NHWC and vectors have one block of all channels;
/// oneDNN's nChw8c and nChw16c have blocks of 8 and 16, the last one padded.
struct channel_geometry {
  std::size_t batch = 0;
  std::size_t blocks = 0;
  std::size_t plane = 0;
  std::size_t block = 0;

  /// Channels with padding: arrays "per channel and sample" have batch * channels() elements, sample-major.
  [[nodiscard]] std::size_t channels() const { return blocks * block; }

  /// Nothing for layouts that are not of this kind.
  [[nodiscard]] static std::optional<channel_geometry> of(const tensor_layout& layout,
                                                          const sample_shape& shape);
};

/// Per channel and sample: slope * (x - center) + offset. Arrays of floats as long as batch * channels().
struct channel_affine {
  const float* slope;
  const float* center;
  const float* offset;
};

/// out = the affine image of x, or, with `rectify`, the relu of it.
void scale_channels(const channel_geometry& g, const channel_affine& by, bool rectify, const float* x,
                    float* out);

/// Per channel and sample, over the plane: sums of x, and of x * y. Accumulates in double. With `relu` (else
/// null), x counts only where the affine image of y is positive: the derivative of scale_channels's relu.
void sum_channels(const channel_geometry& g, const float* x, const float* y, const channel_affine* relu,
                  double* sums, double* products);

/// out = of_gradient * dy + slope * (x - center) + offset; with `relu`, dy counts as for sum_channels.
void combine_channels(const channel_geometry& g, const float* of_gradient, const channel_affine& by,
                      const channel_affine* relu, const float* dy, const float* x, float* out);

} // namespace triage
