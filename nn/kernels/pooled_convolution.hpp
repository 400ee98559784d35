#pragma once

#include <cstddef>
#include <cstdint>

namespace triage {

/// A convolution over few channels, relu, and the maxima of windows of 2x2 of its outputs, in one pass: the
/// outputs themselves, the largest images of a network that begins like this, are never written. Stride 1.
/// Images come in plain, [image][input][height][width], and go out in blocks of channels, [image][output /
/// block][height / 2] [width / 2][block]; windows are row-major as [output][input][side][side].
struct pooled_convolution {
  std::size_t images = 0;
  std::size_t inputs = 0;  ///< channels
  std::size_t outputs = 0; ///< channels, a multiple of `block`
  std::size_t in_height = 0;
  std::size_t in_width = 0;
  std::size_t out_height = 0; ///< of what goes out
  std::size_t out_width = 0;
  std::size_t side = 0; ///< of a window of the convolution
  std::size_t top = 0;  ///< padding; what is missing at the other sides is zero as well
  std::size_t left = 0;
  std::size_t block = 0;                      ///< see channel_block
  static constexpr std::size_t most_taps = 9; ///< of a window, over all channels

  [[nodiscard]] std::size_t taps() const { return inputs * side * side; }
  [[nodiscard]] std::size_t out_floats() const { return images * outputs * out_height * out_width; }
};

/// What the functions below need as `scratch`; its contents do not matter.
[[nodiscard]] std::size_t pooled_convolution_scratch_floats(const pooled_convolution& c);

/// `bias`: may be null. `choices`: which of four outputs was the largest, one byte for each float that goes
/// out; null where nobody will ask.
void pooled_convolution_forward(const pooled_convolution& c, const float* in, const float* windows,
                                const float* bias, float* out, std::uint8_t* choices, float* scratch);
/// From the gradient of what went out; where `out` is not positive there is none. `bias_gradient`: may be
/// null.
void pooled_convolution_gradient(const pooled_convolution& c, const float* in, const float* out,
                                 const std::uint8_t* choices, const float* out_gradient,
                                 float* windows_gradient, float* bias_gradient, float* scratch);

} // namespace triage
