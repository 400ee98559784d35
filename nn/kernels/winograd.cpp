#include "nn/kernels/winograd.hpp"

#include "nn/kernels/small_products.hpp"
#include "nn/kernels/winograd_tiles.hpp"

namespace triage {

namespace {

using namespace winograd;

/// The tiles that are worked on at a time share the second-level cache with the transformed windows.
constexpr std::size_t cached_floats = std::size_t{512} * 1024 / sizeof(float);
/// Below, reading the windows again for each of them would take longer than multiplying.
constexpr std::size_t fewest_tiles = 48;
/// Rows of a product in registers, of the tiles' products and of the windows' gradients. With as many vectors
/// side by side as leave room for one row of the right operand.
constexpr std::size_t tile_rows = 6;
constexpr std::size_t channel_rows = 4;
template <std::size_t W>
constexpr std::size_t vectors_aside = W == 16 ? 4 : 2;
/// Between points, so that those of one tile do not all fall into the same set of the cache.
constexpr std::size_t gap = 16;

constexpr std::size_t round_up(std::size_t tiles) {
  return (tiles + tile_rows - 1) / tile_rows * tile_rows;
}

std::size_t tiles_at_once(const winograd_convolution& c, const tiling& tiles) {
  const std::size_t fit = cached_floats / (all_points * (c.inputs + c.outputs)) / tile_rows * tile_rows;
  return std::min(round_up(tiles.count), std::max(fit, fewest_tiles));
}

/// Floats from one point to the next.
struct point_steps {
  point_steps(const winograd_convolution& c, std::size_t at_once)
      : inputs(at_once * c.inputs + gap), outputs(at_once * c.outputs + gap),
        windows(c.inputs * c.outputs + gap) {}
  std::size_t inputs;
  std::size_t outputs;
  std::size_t windows;
};

image_shape in_shape(const winograd_convolution& c) {
  return {c.inputs, c.in_height, c.in_width};
}
image_shape out_shape(const winograd_convolution& c) {
  return {c.outputs, c.out_height, c.out_width};
}

/// One direction of the convolution: from images of one shape to images of another, `top` and `left` zeros
/// before the first.
struct direction {
  image_shape from;
  image_shape to;
  std::size_t top = 0;
  std::size_t left = 0;
};

template <std::size_t W>
TRIAGE_INLINE void convolve(const direction& d, std::size_t images, std::size_t at_once, const float* in,
                            const float* windows, std::size_t window_step, const output_finish& finish,
                            float* out, float* scratch) {
  const tiling tiles(images, d.to);
  const std::size_t in_step = at_once * d.from.channels + gap;
  const std::size_t out_step = at_once * d.to.channels + gap;
  float* const products = scratch + all_points * in_step;
  for (tile_range range{0, at_once}; range.first < tiles.count; range.first += at_once) {
    range.count = std::min(at_once, tiles.count - range.first);
    inputs_to_points<W>(d.from, in, tiles, range, d.top, d.left, scratch, in_step);
    for (std::size_t p = 0; p < all_points; ++p)
      small_product<W, tile_rows, vectors_aside<W>, false>(
          round_up(range.count), d.to.channels, d.from.channels, {scratch + p * in_step, d.from.channels, 1},
          {windows + p * window_step, d.to.channels}, products + p * out_step, d.to.channels);
    points_to_outputs<W>(d.to, products, out_step, tiles, range, finish, out);
  }
}

template <std::size_t W>
TRIAGE_INLINE void forward(const winograd_convolution& c, const float* in, const float* windows,
                           const output_finish& finish, float* out, float* scratch) {
  const std::size_t at_once = tiles_at_once(c, tiling(c.images, out_shape(c)));
  const point_steps steps(c, at_once);
  windows_to_points<W>({c.outputs, c.inputs, c.inputs, 1, false}, windows, scratch, steps.windows);
  convolve<W>({in_shape(c), out_shape(c), c.top, c.left}, c.images, at_once, in, scratch, steps.windows,
              finish, out, scratch + all_points * steps.windows);
}

template <std::size_t W>
TRIAGE_INLINE void input_gradient(const winograd_convolution& c, const float* out_gradient,
                                  const float* windows, float* in_gradient, float* scratch) {
  const std::size_t at_once = tiles_at_once(c, tiling(c.images, in_shape(c)));
  const point_steps steps(c, at_once);
  windows_to_points<W>({c.inputs, 1, c.outputs, c.inputs, true}, windows, scratch, steps.windows);
  convolve<W>({out_shape(c), in_shape(c), 2 - c.top, 2 - c.left}, c.images, at_once, out_gradient, scratch,
              steps.windows, {}, in_gradient, scratch + all_points * steps.windows);
}

template <std::size_t W>
TRIAGE_INLINE void windows_gradient(const winograd_convolution& c, const float* in, const float* out_gradient,
                                    float* windows, float* bias, float* scratch) {
  const tiling tiles(c.images, out_shape(c));
  const std::size_t at_once = tiles_at_once(c, tiles);
  const point_steps steps(c, at_once);
  float* const inputs = scratch + all_points * steps.windows;
  float* const gradients = inputs + all_points * steps.inputs;
  if (bias != nullptr)
    std::fill_n(bias, c.outputs, 0.0F);
  std::fill_n(scratch, all_points * steps.windows, 0.0F);
  for (tile_range range{0, at_once}; range.first < tiles.count; range.first += at_once) {
    range.count = std::min(at_once, tiles.count - range.first);
    inputs_to_points<W>(in_shape(c), in, tiles, range, c.top, c.left, inputs, steps.inputs);
    output_gradients_to_points<W>(out_shape(c), out_gradient, tiles, range, gradients, steps.outputs, bias);
    for (std::size_t p = 0; p < all_points; ++p)
      small_product<W, channel_rows, vectors_aside<W>, true>(
          c.inputs, c.outputs, range.count, {inputs + p * steps.inputs, 1, c.inputs},
          {gradients + p * steps.outputs, c.outputs}, scratch + p * steps.windows, c.outputs);
  }
  points_to_windows<W>(c.inputs, c.outputs, scratch, steps.windows, windows);
}

TRIAGE_WITH_16 void forward_16(const winograd_convolution& c, const float* in, const float* windows,
                               const output_finish& finish, float* out, float* scratch) {
  forward<16>(c, in, windows, finish, out, scratch);
}
TRIAGE_WITH_8 void forward_8(const winograd_convolution& c, const float* in, const float* windows,
                             const output_finish& finish, float* out, float* scratch) {
  forward<8>(c, in, windows, finish, out, scratch);
}
TRIAGE_WITH_16 void input_gradient_16(const winograd_convolution& c, const float* out_gradient,
                                      const float* windows, float* in_gradient, float* scratch) {
  input_gradient<16>(c, out_gradient, windows, in_gradient, scratch);
}
TRIAGE_WITH_8 void input_gradient_8(const winograd_convolution& c, const float* out_gradient,
                                    const float* windows, float* in_gradient, float* scratch) {
  input_gradient<8>(c, out_gradient, windows, in_gradient, scratch);
}
TRIAGE_WITH_16 void windows_gradient_16(const winograd_convolution& c, const float* in,
                                        const float* out_gradient, float* windows, float* bias,
                                        float* scratch) {
  windows_gradient<16>(c, in, out_gradient, windows, bias, scratch);
}
TRIAGE_WITH_8 void windows_gradient_8(const winograd_convolution& c, const float* in,
                                      const float* out_gradient, float* windows, float* bias,
                                      float* scratch) {
  windows_gradient<8>(c, in, out_gradient, windows, bias, scratch);
}

} // namespace

std::size_t winograd_scratch_floats(const winograd_convolution& c) {
  const auto needed = [&](const image_shape& tiled) {
    const point_steps steps(c, tiles_at_once(c, tiling(c.images, tiled)));
    return all_points * (steps.windows + steps.inputs + steps.outputs);
  };
  return std::max(needed(in_shape(c)), needed(out_shape(c)));
}

void winograd_forward(const winograd_convolution& c, const float* in, const float* windows, const float* bias,
                      bool rectified, float* out, float* scratch) {
  (c.block == 16 ? forward_16 : forward_8)(c, in, windows, {bias, rectified}, out, scratch);
}

void winograd_input_gradient(const winograd_convolution& c, const float* out_gradient, const float* windows,
                             float* in_gradient, float* scratch) {
  (c.block == 16 ? input_gradient_16 : input_gradient_8)(c, out_gradient, windows, in_gradient, scratch);
}

void winograd_windows_gradient(const winograd_convolution& c, const float* in, const float* out_gradient,
                               float* windows_gradient, float* bias_gradient, float* scratch) {
  (c.block == 16 ? windows_gradient_16 : windows_gradient_8)(c, in, out_gradient, windows_gradient,
                                                             bias_gradient, scratch);
}

} // namespace triage
