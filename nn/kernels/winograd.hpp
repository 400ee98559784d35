#pragma once

#include <cstddef>

namespace triage {

/// A convolution with windows of 3x3 and stride 1 by Winograd's algorithm: 2.25 multiplications for each
/// output and input channel instead of 9. Images lie in blocks of channels, [image][channels /
/// block][height][width] [block], windows row-major as [outputs][inputs][3][3].
///
/// Everything between the image and the result stays in the second-level cache: some tiles of 4x4 pixels are
/// transformed, multiplied and transformed back before the next ones. Results are off by about 1e-6 of their
/// size. They depend on the width of the processor's registers in the last bits, and on nothing else.
struct winograd_convolution {
  std::size_t images = 0;
  std::size_t inputs = 0;  ///< channels
  std::size_t outputs = 0; ///< channels
  std::size_t in_height = 0;
  std::size_t in_width = 0;
  std::size_t out_height = 0;
  std::size_t out_width = 0;
  std::size_t top = 0; ///< padding: 0, 1 or 2; what is missing at the other sides is zero as well
  std::size_t left = 0;
  std::size_t block = 0; ///< see channel_block
};

/// What each of the functions below needs as `scratch`; its contents do not matter.
[[nodiscard]] std::size_t winograd_scratch_floats(const winograd_convolution& c);

/// `bias`: may be null. `rectified`: negative outputs become zero.
void winograd_forward(const winograd_convolution& c, const float* in, const float* windows, const float* bias,
                      bool rectified, float* out, float* scratch);
void winograd_input_gradient(const winograd_convolution& c, const float* out_gradient, const float* windows,
                             float* in_gradient, float* scratch);
/// `bias_gradient`: may be null.
void winograd_windows_gradient(const winograd_convolution& c, const float* in, const float* out_gradient,
                               float* windows_gradient, float* bias_gradient, float* scratch);

} // namespace triage
