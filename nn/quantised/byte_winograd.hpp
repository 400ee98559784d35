#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// A convolution of 3x3 windows over channels-last bytes that are not negative, by Winograd's algorithm for
/// tiles of 2x2 pixels, F(2x2, 3x3) of Lavin & Gray (2015): 16 products of bytes for each channel and tile
/// instead of 36. The transformed pixels of a tile span 1020 steps, so a step of theirs is four of the
/// pixels': as exact as pixels of six to seven bits, which is enough for scores and not for training.
///
/// A tile's transformed pixels are 16 * channels bytes. All but point (1, 1), which is a sum of pixels, have
/// signs and are stored 128 higher; `compensation` takes that back.
struct byte_winograd {
  static constexpr std::size_t points = 16;
  static constexpr std::size_t side = 2;     ///< output pixels of a tile
  static constexpr std::size_t together = 7; ///< tiles that are multiplied at a time
  static constexpr std::size_t block = 32;   ///< channels, and outputs, come in multiples of it
  static constexpr float pixel_step = 4.0F;  ///< pixels' steps in one of a transformed pixel
  std::size_t channels = 0;
  std::size_t outputs = 0;

  [[nodiscard]] std::size_t tile_bytes() const { return points * channels; }
};

/// Whether there is a kernel: channels in blocks of 32, on a processor with AVX512-VNNI.
[[nodiscard]] bool multiplies_byte_tiles(std::size_t channels, std::size_t outputs);

/// The windows' transform: `windows` of [output][channel][3][3] to [output][point][channel].
void transform_windows(const byte_winograd& w, const float* windows, float* transformed);

/// Quantised weights of [output][point][channel], in the order of the kernel.
struct packed_windows {
  explicit packed_windows(const byte_winograd& w);
  void pack(const byte_winograd& w, const std::int8_t* quantised);

  std::vector<std::int8_t> weights;
  std::vector<std::int32_t> compensation; ///< [point][output]
};

/// Transforms `tiles` tiles side by side. `from`: the first of the first tile's 4x4 pixels; rows of pixels
/// are `row_bytes` apart.
void transform_tiles(const byte_winograd& w, const std::uint8_t* from, std::size_t row_bytes,
                     std::size_t tiles, std::uint8_t* transformed);

/// Where the four pixels of a tile go; the first alone counts where the largest is all that is wanted.
using tile_targets = std::array<std::uint8_t*, 4>;

/// Multiplies the tiles, transforms back, and stores multiplier[output] * (sum + constant[output]), rounded
/// and clamped to 0 … 255: each pixel, or with `pooled` the largest of the four. `targets`: for all tiles of
/// a multiple of `together`, as many as `transformed` has.
void multiply_tiles(const byte_winograd& w, const std::uint8_t* transformed,
                    std::span<const tile_targets> targets, const packed_windows& windows,
                    const float* multiplier, const float* constant, bool pooled);

} // namespace triage
