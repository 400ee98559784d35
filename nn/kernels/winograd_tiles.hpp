#pragma once

#include "nn/kernels/float_vectors.hpp"
#include "nn/kernels/winograd_points.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

// Between images and the points of their tiles. Images lie as [image][channels / W][height][width][W], points
// as [point][tile][channel] with `step` floats from one point to the next.
namespace triage::winograd {

inline constexpr std::size_t tile_side = 4;
inline constexpr std::size_t all_points = 36;

struct image_shape {
  std::size_t channels = 0;
  std::size_t height = 0;
  std::size_t width = 0;
};

/// Images cut into tiles of 4x4, counted from image to image, from row to row.
struct tiling {
  tiling(std::size_t images, const image_shape& shape)
      : down((shape.height + tile_side - 1) / tile_side), across((shape.width + tile_side - 1) / tile_side),
        count(images * down * across) {}
  std::size_t down;
  std::size_t across;
  std::size_t count;

  struct place {
    std::size_t image = 0;
    std::size_t y = 0; ///< of the tile's first pixel
    std::size_t x = 0;
  };
  [[nodiscard]] place operator[](std::size_t tile) const {
    const std::size_t row = tile / across;
    return {row / down, row % down * tile_side, tile % across * tile_side};
  }
};

/// Some of the tiles, and where the points of the first one lie.
struct tile_range {
  std::size_t first = 0;
  std::size_t count = 0;
};

/// Reads N pixels of W channels side by side; those outside of the image are zero.
template <std::size_t W, std::size_t N>
class row_reader {
public:
  TRIAGE_INLINE row_reader(const image_shape& shape, std::ptrdiff_t x)
      : height_(shape.height), row_floats_(shape.width * W) {
    for (std::size_t j = 0; j < N; ++j) {
      const auto column = static_cast<std::size_t>(x + static_cast<std::ptrdiff_t>(j));
      inside_[j] = column < shape.width; // below zero is far above
      offset_[j] = inside_[j] ? column * W : 0;
    }
  }
  TRIAGE_INLINE void read(const float* plane, std::ptrdiff_t y, float_vector<W> (&pixels)[N]) const {
    const auto line = static_cast<std::size_t>(y);
    const bool there = line < height_;
    const float* const row = there ? plane + line * row_floats_ : plane;
#pragma GCC unroll 6
    for (std::size_t j = 0; j < N; ++j)
      load(there && inside_[j] ? row + offset_[j] : zeros.data(), pixels[j]);
  }

private:
  alignas(64) static constexpr std::array<float, W> zeros{};
  std::size_t height_;
  std::size_t row_floats_;
  std::size_t offset_[N]{};
  bool inside_[N]{};
};

/// Each tile's output depends on 6x6 pixels, from `top` rows above and `left` columns before its place on.
template <std::size_t W>
TRIAGE_INLINE void inputs_to_points(const image_shape& shape, const float* images, const tiling& tiles,
                                    const tile_range& range, std::size_t top, std::size_t left, float* points,
                                    std::size_t step) {
  using vector = float_vector<W>;
  const std::size_t groups = shape.channels / W;
  for (std::size_t t = 0; t < range.count; ++t) {
    const auto place = tiles[range.first + t];
    const auto y = static_cast<std::ptrdiff_t>(place.y) - static_cast<std::ptrdiff_t>(top);
    const row_reader<W, 6> rows(shape,
                                static_cast<std::ptrdiff_t>(place.x) - static_cast<std::ptrdiff_t>(left));
    for (std::size_t g = 0; g < groups; ++g) {
      const float* const plane = images + (place.image * groups + g) * shape.height * shape.width * W;
      vector half[6][6];
#pragma GCC unroll 1
      for (std::size_t i = 0; i < 6; ++i) {
        vector pixels[6];
        rows.read(plane, y + static_cast<std::ptrdiff_t>(i), pixels);
        input_to_points(pixels, half[i]);
      }
      float* const to = points + t * shape.channels + g * W;
#pragma GCC unroll 1
      for (std::size_t j = 0; j < 6; ++j) {
        const vector column[6] = {half[0][j], half[1][j], half[2][j], half[3][j], half[4][j], half[5][j]};
        vector done[6];
        input_to_points(column, done);
#pragma GCC unroll 6
        for (std::size_t i = 0; i < 6; ++i)
          store(done[i], to + (i * 6 + j) * step);
      }
    }
  }
}

/// `sums`: receives, in addition to what is there, the sum of each channel; may be null.
template <std::size_t W>
TRIAGE_INLINE void output_gradients_to_points(const image_shape& shape, const float* images,
                                              const tiling& tiles, const tile_range& range, float* points,
                                              std::size_t step, float* sums) {
  using vector = float_vector<W>;
  const std::size_t groups = shape.channels / W;
  for (std::size_t t = 0; t < range.count; ++t) {
    const auto place = tiles[range.first + t];
    const row_reader<W, 4> rows(shape, static_cast<std::ptrdiff_t>(place.x));
    for (std::size_t g = 0; g < groups; ++g) {
      const float* const plane = images + (place.image * groups + g) * shape.height * shape.width * W;
      vector half[4][6];
      vector sum{};
#pragma GCC unroll 1
      for (std::size_t i = 0; i < 4; ++i) {
        vector pixels[4];
        rows.read(plane, static_cast<std::ptrdiff_t>(place.y + i), pixels);
        output_to_points(pixels, half[i]);
        sum += (pixels[0] + pixels[1]) + (pixels[2] + pixels[3]);
      }
      if (sums != nullptr) {
        vector before;
        load(sums + g * W, before);
        store(before + sum, sums + g * W);
      }
      float* const to = points + t * shape.channels + g * W;
#pragma GCC unroll 1
      for (std::size_t j = 0; j < 6; ++j) {
        const vector column[4] = {half[0][j], half[1][j], half[2][j], half[3][j]};
        vector done[6];
        output_to_points(column, done);
#pragma GCC unroll 6
        for (std::size_t i = 0; i < 6; ++i)
          store(done[i], to + (i * 6 + j) * step);
      }
    }
  }
}

/// What becomes of each output value on its way into the image.
struct output_finish {
  const float* bias = nullptr; ///< by channel; null: none
  bool rectified = false;
};

template <std::size_t W>
TRIAGE_INLINE void points_to_outputs(const image_shape& shape, const float* points, std::size_t step,
                                     const tiling& tiles, const tile_range& range,
                                     const output_finish& finish, float* images) {
  using vector = float_vector<W>;
  const std::size_t groups = shape.channels / W;
  for (std::size_t t = 0; t < range.count; ++t) {
    const auto place = tiles[range.first + t];
    const std::size_t high = std::min(tile_side, shape.height - place.y);
    const std::size_t wide = std::min(tile_side, shape.width - place.x);
    for (std::size_t g = 0; g < groups; ++g) {
      const float* const from = points + t * shape.channels + g * W;
      vector half[4][6];
#pragma GCC unroll 1
      for (std::size_t j = 0; j < 6; ++j) {
        vector column[6];
#pragma GCC unroll 6
        for (std::size_t i = 0; i < 6; ++i)
          load(from + (i * 6 + j) * step, column[i]);
        vector done[4];
        points_to_output(column, done);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < 4; ++i)
          half[i][j] = done[i];
      }
      vector shift{};
      if (finish.bias != nullptr)
        load(finish.bias + g * W, shift);
      float* const plane = images + (place.image * groups + g) * shape.height * shape.width * W;
#pragma GCC unroll 1
      for (std::size_t i = 0; i < high; ++i) {
        vector pixels[4];
        points_to_output(half[i], pixels);
        float* const row = plane + ((place.y + i) * shape.width + place.x) * W;
#pragma GCC unroll 4
        for (std::size_t j = 0; j < tile_side; ++j) {
          vector value = pixels[j] + shift;
          if (finish.rectified)
            value = value > 0.0F ? value : vector{};
          if (j < wide)
            store(value, row + j * W);
        }
      }
    }
  }
}

/// Which way the windows of a row-major weight tensor [outputs][inputs][3][3] are read: `across` channels
/// side by side, `along` channels of the sum.
struct window_order {
  std::size_t across = 0;
  std::size_t across_step = 0; ///< from one window to the next, in windows
  std::size_t along = 0;
  std::size_t along_step = 0;
  bool turned = false; ///< by half a turn, as the way back needs them
};

/// To [point][along][across].
template <std::size_t W>
TRIAGE_INLINE void windows_to_points(const window_order& order, const float* windows, float* points,
                                     std::size_t step) {
  using vector = float_vector<W>;
  for (std::size_t l = 0; l < order.across; l += W)
    for (std::size_t k = 0; k < order.along; ++k) {
      float taps[9][W];
      for (std::size_t w = 0; w < W; ++w) {
        const float* const from = windows + ((l + w) * order.across_step + k * order.along_step) * 9;
        for (std::size_t i = 0; i < 9; ++i)
          taps[i][w] = from[order.turned ? 8 - i : i];
      }
      vector half[6][3];
      for (std::size_t j = 0; j < 3; ++j) {
        vector column[3];
        for (std::size_t i = 0; i < 3; ++i)
          load(taps[i * 3 + j], column[i]);
        vector done[6];
        window_to_points(column, done);
        for (std::size_t i = 0; i < 6; ++i)
          half[i][j] = done[i];
      }
      float* const to = points + k * order.across + l;
      for (std::size_t i = 0; i < 6; ++i) {
        vector done[6];
        window_to_points(half[i], done);
        for (std::size_t j = 0; j < 6; ++j)
          store(done[j], to + (i * 6 + j) * step);
      }
    }
}

/// From [point][input][output], the sums over all tiles, to gradients laid out like the weights.
template <std::size_t W>
TRIAGE_INLINE void points_to_windows(std::size_t inputs, std::size_t outputs, const float* points,
                                     std::size_t step, float* windows) {
  using vector = float_vector<W>;
  for (std::size_t k = 0; k < inputs; ++k)
    for (std::size_t l = 0; l < outputs; l += W) {
      vector half[3][6];
      for (std::size_t j = 0; j < 6; ++j) {
        vector column[6];
        for (std::size_t i = 0; i < 6; ++i)
          load(points + (i * 6 + j) * step + k * outputs + l, column[i]);
        vector done[3];
        points_to_window(column, done);
        for (std::size_t i = 0; i < 3; ++i)
          half[i][j] = done[i];
      }
      float taps[9][W];
      for (std::size_t i = 0; i < 3; ++i) {
        vector done[3];
        points_to_window(half[i], done);
        for (std::size_t j = 0; j < 3; ++j)
          store(done[j], taps[i * 3 + j]);
      }
      for (std::size_t w = 0; w < W; ++w)
        for (std::size_t i = 0; i < 9; ++i)
          windows[((l + w) * inputs + k) * 9 + i] = taps[i][w];
    }
}

} // namespace triage::winograd
