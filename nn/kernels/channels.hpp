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

/// Per channel and sample, over the plane: sums of x, and of x * y. Accumulates in double.
void sum_channels(const channel_geometry& g, const float* x, const float* y, double* sums, double* products);

/// Per channel and sample: out = slope * (x - center) + offset. Arrays of floats as long as batch *
/// channels().
struct channel_affine {
  const float* slope;
  const float* center;
  const float* offset;
};
void scale_channels(const channel_geometry& g, const channel_affine& by, const float* x, float* out);

/// out = of_gradient * dy + slope * (x - center) + offset.
void combine_channels(const channel_geometry& g, const float* of_gradient, const channel_affine& by,
                      const float* dy, const float* x, float* out);

} // namespace triage
