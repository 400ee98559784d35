#include "nn/kernels/pooled_convolution.hpp"

#include "nn/kernels/float_vectors.hpp"

#include <algorithm>
#include <array>

namespace triage {

namespace {

/// As many as stay in registers; windows with fewer are filled up with taps that are zero.
constexpr std::size_t all_taps = pooled_convolution::most_taps;

/// One image with its margins, as far as windows look.
struct padded_shape {
  explicit padded_shape(const pooled_convolution& c)
      : height(2 * c.out_height + c.side - 1), width(2 * c.out_width + c.side - 1) {}
  std::size_t height;
  std::size_t width;
};

/// Parts of the scratch memory.
struct working_memory {
  working_memory(const pooled_convolution& c, float* scratch)
      : windows(scratch), bias(windows + c.outputs * all_taps), image(bias + c.outputs) {}
  float* windows; ///< [output / block][padded tap][block]
  float* bias;
  float* image; ///< with its margins
};

void pad(const pooled_convolution& c, const float* image, float* padded) {
  const padded_shape shape(c);
  const std::size_t seen = std::min(c.in_width, shape.width - c.left);
  for (std::size_t i = 0; i < c.inputs; ++i, image += c.in_height * c.in_width)
    for (std::size_t y = 0; y < shape.height; ++y, padded += shape.width) {
      std::fill_n(padded, shape.width, 0.0F);
      if (y >= c.top && y - c.top < c.in_height)
        std::copy_n(image + (y - c.top) * c.in_width, seen, padded + c.left);
    }
}

/// Where each tap looks, from the window's first pixel.
class tap_places {
public:
  explicit tap_places(const pooled_convolution& c) : width(padded_shape(c).width) {
    const padded_shape shape(c);
    for (std::size_t t = 0; t < c.taps(); ++t) {
      const std::size_t row = t / c.side;
      places_[t] = (row / c.side * shape.height + row % c.side) * shape.width + t % c.side;
    }
  }
  /// Usual: of one channel of 3x3, whose places the compiler knows.
  template <bool Usual>
  TRIAGE_INLINE std::size_t place(std::size_t tap) const {
    return Usual ? tap / 3 * width + tap % 3 : places_[tap];
  }
  std::size_t width; ///< of a row of pixels

private:
  std::array<std::size_t, all_taps> places_{};
};

std::size_t packed_place(const pooled_convolution& c, std::size_t output, std::size_t tap) {
  return (output / c.block * all_taps + tap) * c.block + output % c.block;
}

template <std::size_t W>
struct byte_vector_of {
  typedef std::uint8_t type __attribute__((vector_size(W))); // NOLINT(modernize-use-using)
};
template <std::size_t W>
struct int_vector_of {
  // NOLINTNEXTLINE(modernize-use-using)
  typedef std::int32_t type __attribute__((vector_size(W * sizeof(std::int32_t))));
};

template <std::size_t W>
TRIAGE_INLINE void load_taps(const float* from, float_vector<W> (&taps)[all_taps]) {
#pragma GCC unroll 9
  for (std::size_t t = 0; t < all_taps; ++t)
    load(from + t * W, taps[t]);
}

/// One row of what goes out, W channels of it.
template <std::size_t W, bool Usual>
TRIAGE_INLINE void forward_row(const pooled_convolution& c, const tap_places& places, const float* from,
                               const float* windows, const float_vector<W>& bias, float* out,
                               std::uint8_t* choices) {
  using vector = float_vector<W>;
  using whole = typename int_vector_of<W>::type;
  vector held[all_taps];
  load_taps<W>(windows, held);
  for (std::size_t x = 0; x < c.out_width; ++x, from += 2) {
    vector sums[4] = {bias, bias, bias, bias};
#pragma GCC unroll 9
    for (std::size_t t = 0; t < all_taps; ++t) {
      const float* const at = from + places.place<Usual>(t);
      sums[0] += at[0] * held[t];
      sums[1] += at[1] * held[t];
      sums[2] += at[places.width] * held[t];
      sums[3] += at[places.width + 1] * held[t];
    }
    vector best = sums[0];
    whole choice{};
#pragma GCC unroll 3
    for (std::int32_t k = 1; k < 4; ++k) {
      const auto better = sums[k] > best;
      best = better ? sums[k] : best;
      choice = better ? whole{} + k : choice;
    }
    const vector rectified = best > 0.0F ? best : vector{};
    store(rectified, out + x * W);
    if (choices != nullptr) {
      const auto bytes = __builtin_convertvector(choice, typename byte_vector_of<W>::type);
      std::memcpy(choices + x * W, &bytes, W);
    }
  }
}

template <std::size_t W, bool Usual>
TRIAGE_INLINE void forward_images(const pooled_convolution& c, const float* in, const float* bias, float* out,
                                  std::uint8_t* choices, const working_memory& memory) {
  const tap_places places(c);
  const std::size_t row = c.out_width * W;
  for (std::size_t n = 0; n < c.images; ++n) {
    pad(c, in + n * c.inputs * c.in_height * c.in_width, memory.image);
    for (std::size_t g = 0; g < c.outputs / W; ++g) {
      float_vector<W> shift{};
      if (bias != nullptr)
        load(bias + g * W, shift);
      for (std::size_t y = 0; y < c.out_height; ++y, out += row) {
        forward_row<W, Usual>(c, places, memory.image + 2 * y * places.width,
                              memory.windows + g * all_taps * W, shift, out, choices);
        if (choices != nullptr)
          choices += row;
      }
    }
  }
}

/// Adds what one row of what went out gives to the gradients of W windows and biases.
template <std::size_t W, bool Usual>
TRIAGE_INLINE void gradient_row(const pooled_convolution& c, const tap_places& places, const float* from,
                                const float* out, const std::uint8_t* choices, const float* out_gradient,
                                float_vector<W> (&windows)[all_taps], float_vector<W>& bias) {
  using vector = float_vector<W>;
  using whole = typename int_vector_of<W>::type;
  for (std::size_t x = 0; x < c.out_width; ++x, from += 2) {
    typename byte_vector_of<W>::type bytes;
    std::memcpy(&bytes, choices + x * W, W);
    const whole choice = __builtin_convertvector(bytes, whole);
    vector value;
    load(out + x * W, value);
    vector gradient;
    load(out_gradient + x * W, gradient);
    gradient = value > 0.0F ? gradient : vector{};
    bias += gradient;
    vector parts[4];
#pragma GCC unroll 4
    for (std::int32_t k = 0; k < 4; ++k)
      parts[k] = choice == k ? gradient : vector{};
#pragma GCC unroll 9
    for (std::size_t t = 0; t < all_taps; ++t) {
      const float* const at = from + places.place<Usual>(t);
      windows[t] += at[0] * parts[0];
      windows[t] += at[1] * parts[1];
      windows[t] += at[places.width] * parts[2];
      windows[t] += at[places.width + 1] * parts[3];
    }
  }
}

template <std::size_t W, bool Usual>
TRIAGE_INLINE void gradient_of_images(const pooled_convolution& c, const float* in, const float* out,
                                      const std::uint8_t* choices, const float* out_gradient,
                                      const working_memory& memory) {
  using vector = float_vector<W>;
  const tap_places places(c);
  const std::size_t row = c.out_width * W;
  std::fill_n(memory.windows, c.outputs * all_taps, 0.0F);
  std::fill_n(memory.bias, c.outputs, 0.0F);
  for (std::size_t n = 0; n < c.images; ++n) {
    pad(c, in + n * c.inputs * c.in_height * c.in_width, memory.image);
    for (std::size_t g = 0; g < c.outputs / W; ++g) {
      const std::size_t plane = (n * (c.outputs / W) + g) * c.out_height * row;
      float* const sums = memory.windows + g * all_taps * W;
      vector held[all_taps];
      load_taps<W>(sums, held);
      vector bias;
      load(memory.bias + g * W, bias);
      for (std::size_t y = 0; y < c.out_height; ++y)
        gradient_row<W, Usual>(c, places, memory.image + 2 * y * places.width, out + plane + y * row,
                               choices + plane + y * row, out_gradient + plane + y * row, held, bias);
#pragma GCC unroll 9
      for (std::size_t t = 0; t < all_taps; ++t)
        store(held[t], sums + t * W);
      store(bias, memory.bias + g * W);
    }
  }
}

bool is_usual(const pooled_convolution& c) {
  return c.inputs == 1 && c.side == 3;
}

template <std::size_t W>
TRIAGE_INLINE void forward(const pooled_convolution& c, const float* in, const float* bias, float* out,
                           std::uint8_t* choices, const working_memory& memory) {
  is_usual(c) ? forward_images<W, true>(c, in, bias, out, choices, memory)
              : forward_images<W, false>(c, in, bias, out, choices, memory);
}

template <std::size_t W>
TRIAGE_INLINE void gradient(const pooled_convolution& c, const float* in, const float* out,
                            const std::uint8_t* choices, const float* out_gradient,
                            const working_memory& memory) {
  is_usual(c) ? gradient_of_images<W, true>(c, in, out, choices, out_gradient, memory)
              : gradient_of_images<W, false>(c, in, out, choices, out_gradient, memory);
}

TRIAGE_WITH_16 void forward_16(const pooled_convolution& c, const float* in, const float* bias, float* out,
                               std::uint8_t* choices, const working_memory& memory) {
  forward<16>(c, in, bias, out, choices, memory);
}
TRIAGE_WITH_8 void forward_8(const pooled_convolution& c, const float* in, const float* bias, float* out,
                             std::uint8_t* choices, const working_memory& memory) {
  forward<8>(c, in, bias, out, choices, memory);
}
TRIAGE_WITH_16 void gradient_16(const pooled_convolution& c, const float* in, const float* out,
                                const std::uint8_t* choices, const float* out_gradient,
                                const working_memory& memory) {
  gradient<16>(c, in, out, choices, out_gradient, memory);
}
TRIAGE_WITH_8 void gradient_8(const pooled_convolution& c, const float* in, const float* out,
                              const std::uint8_t* choices, const float* out_gradient,
                              const working_memory& memory) {
  gradient<8>(c, in, out, choices, out_gradient, memory);
}

} // namespace

std::size_t pooled_convolution_scratch_floats(const pooled_convolution& c) {
  const padded_shape shape(c);
  return c.outputs * (all_taps + 1) + c.inputs * shape.height * shape.width;
}

void pooled_convolution_forward(const pooled_convolution& c, const float* in, const float* windows,
                                const float* bias, float* out, std::uint8_t* choices, float* scratch) {
  const working_memory memory(c, scratch);
  std::fill_n(memory.windows, c.outputs * all_taps, 0.0F);
  for (std::size_t o = 0; o < c.outputs; ++o)
    for (std::size_t t = 0; t < c.taps(); ++t)
      memory.windows[packed_place(c, o, t)] = windows[o * c.taps() + t];
  (c.block == 16 ? forward_16 : forward_8)(c, in, bias, out, choices, memory);
}

void pooled_convolution_gradient(const pooled_convolution& c, const float* in, const float* out,
                                 const std::uint8_t* choices, const float* out_gradient,
                                 float* windows_gradient, float* bias_gradient, float* scratch) {
  const working_memory memory(c, scratch);
  (c.block == 16 ? gradient_16 : gradient_8)(c, in, out, choices, out_gradient, memory);
  for (std::size_t o = 0; o < c.outputs; ++o)
    for (std::size_t t = 0; t < c.taps(); ++t)
      windows_gradient[o * c.taps() + t] = memory.windows[packed_place(c, o, t)];
  if (bias_gradient != nullptr)
    std::copy_n(memory.bias, c.outputs, bias_gradient);
}

} // namespace triage
