#pragma once

#include <cstddef>
#include <cstdint>

namespace triage {

/// The windows of one row of output pixels over few channels: each has `rows` rows of `words` words of four
/// bytes, and begins `step` bytes behind the one before.
struct byte_windows {
  std::size_t pixels = 0;
  std::size_t step = 0;
  std::size_t rows = 0; ///< over all channels
  std::size_t words = 0;
  std::size_t outputs = 0; ///< channels
};

/// Whether there is a kernel for so many output channels: a multiple of 16, on a processor with AVX512-VNNI
/// (and oneDNN not limited to less by ONEDNN_MAX_CPU_ISA).
[[nodiscard]] bool multiplies_byte_windows(std::size_t outputs);

/// Brings weights of [output][row][word][4] into the order of the kernel, [row][word][output][4].
void pack_byte_windows(const byte_windows& w, const std::int8_t* weights, std::int8_t* packed);

/// out[pixel][output] = multiplier[output] * (sum of products + constant[output]), rounded and clamped to
/// 0 … 255. `rows`: where each row of the first window begins; whole words are read.
///
/// oneDNN's matrix kernels would fill a fifth of their depth with such short windows, and want them gathered:
/// 6 microseconds for a sample of 28x28 pixels and 32 channels, against 2 here.
void multiply_byte_windows(const byte_windows& w, const std::uint8_t* const* rows, const std::int8_t* packed,
                           const float* multiplier, const float* constant, std::uint8_t* out);

/// The same of two rows of output pixels, of which the largest of each 2x2 are stored. `rows`: those of the
/// first output row's windows, then those of the second's. `pixels` is even.
void multiply_pooled_byte_windows(const byte_windows& w, const std::uint8_t* const* rows,
                                  const std::int8_t* packed, const float* multiplier, const float* constant,
                                  std::uint8_t* out);

} // namespace triage
