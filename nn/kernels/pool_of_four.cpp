#include "nn/kernels/pool_of_four.hpp"

#include "core/multiversion.hpp"
#include "core/prefetch.hpp"

namespace triage {

namespace {

/// One row of windows; `in` is the upper of two rows of pixels. `Block` 0: not known when compiled.
template <std::size_t Block, bool Remembers>
TRIAGE_INLINE void pool_row(const float* in, std::size_t width, std::size_t channels, float* out,
                            std::uint8_t* choices) {
  const std::size_t block = Block == 0 ? channels : Block;
  const float* below = in + 2 * width * block;
  const std::size_t ahead = 4 * width * block;
  for (std::size_t x = 0; x < width; ++x, in += 2 * block, below += 2 * block, out += block) {
    if constexpr (Block == 16) {
      __builtin_prefetch(in + ahead);
      __builtin_prefetch(in + ahead + 16);
      __builtin_prefetch(below + ahead);
      __builtin_prefetch(below + ahead + 16);
    }
    TRIAGE_INDEPENDENT
    for (std::size_t c = 0; c < block; ++c) {
      float best = in[c];
      std::uint32_t choice = 0;
      const auto look = [&](float value, std::uint32_t place) {
        const bool better = value > best;
        best = better ? value : best;
        choice = better ? place : choice;
      };
      look(in[block + c], 1);
      look(below[c], 2);
      look(below[block + c], 3);
      out[c] = best;
      if constexpr (Remembers)
        choices[x * block + c] = static_cast<std::uint8_t>(choice);
    }
  }
}

template <std::size_t Block, bool Remembers>
TRIAGE_INLINE void pool_rows(const pooled_images& i, const float* in, float* out, std::uint8_t* choices) {
  const std::size_t row = i.width * i.block;
  for (std::size_t y = 0; y < i.planes * i.height; ++y)
    pool_row<Block, Remembers>(in + 4 * row * y, i.width, i.block, out + row * y,
                               Remembers ? choices + row * y : nullptr);
}

template <bool Remembers>
TRIAGE_INLINE void pool_any(const pooled_images& i, const float* in, float* out, std::uint8_t* choices) {
  if (i.block == 16)
    return pool_rows<16, Remembers>(i, in, out, choices);
  if (i.block == 8)
    return pool_rows<8, Remembers>(i, in, out, choices);
  pool_rows<0, Remembers>(i, in, out, choices);
}

TRIAGE_MULTIVERSION void pool(const pooled_images& i, const float* in, float* out) {
  pool_any<false>(i, in, out, nullptr);
}
TRIAGE_MULTIVERSION void pool_and_remember(const pooled_images& i, const float* in, float* out,
                                           std::uint8_t* choices) {
  pool_any<true>(i, in, out, choices);
}

template <std::size_t Block, bool Rectified>
TRIAGE_INLINE void spread_row(const float* gradient, const std::uint8_t* choices, const float* rectified,
                              std::size_t width, std::size_t channels, float* out) {
  const std::size_t block = Block == 0 ? channels : Block;
  float* below = out + 2 * width * block;
  const std::size_t ahead = 4 * width * block;
  for (std::size_t x = 0; x < width; ++x, out += 2 * block, below += 2 * block) {
    if constexpr (Block == 16) {
      prefetch_to_write(out + ahead, 2 * block);
      prefetch_to_write(below + ahead, 2 * block);
    }
    TRIAGE_INDEPENDENT
    for (std::size_t c = 0; c < block; ++c) {
      const std::uint32_t choice = choices[x * block + c];
      float g = gradient[x * block + c];
      if constexpr (Rectified)
        g = rectified[x * block + c] > 0.0F ? g : 0.0F;
      out[c] = choice == 0 ? g : 0.0F;
      out[block + c] = choice == 1 ? g : 0.0F;
      below[c] = choice == 2 ? g : 0.0F;
      below[block + c] = choice == 3 ? g : 0.0F;
    }
  }
}

template <std::size_t Block, bool Rectified>
TRIAGE_INLINE void spread_rows(const pooled_images& i, const float* gradient, const std::uint8_t* choices,
                               const float* rectified, float* out) {
  const std::size_t row = i.width * i.block;
  for (std::size_t y = 0; y < i.planes * i.height; ++y)
    spread_row<Block, Rectified>(gradient + row * y, choices + row * y,
                                 Rectified ? rectified + row * y : nullptr, i.width, i.block,
                                 out + 4 * row * y);
}

template <bool Rectified>
TRIAGE_INLINE void spread_any(const pooled_images& i, const float* gradient, const std::uint8_t* choices,
                              const float* rectified, float* out) {
  if (i.block == 16)
    return spread_rows<16, Rectified>(i, gradient, choices, rectified, out);
  if (i.block == 8)
    return spread_rows<8, Rectified>(i, gradient, choices, rectified, out);
  spread_rows<0, Rectified>(i, gradient, choices, rectified, out);
}

TRIAGE_MULTIVERSION void spread(const pooled_images& i, const float* gradient, const std::uint8_t* choices,
                                float* out) {
  spread_any<false>(i, gradient, choices, nullptr, out);
}
TRIAGE_MULTIVERSION void spread_rectified(const pooled_images& i, const float* gradient,
                                          const std::uint8_t* choices, const float* rectified, float* out) {
  spread_any<true>(i, gradient, choices, rectified, out);
}

} // namespace

void largest_of_four(const pooled_images& images, const float* in, float* out, std::uint8_t* choices) {
  choices == nullptr ? pool(images, in, out) : pool_and_remember(images, in, out, choices);
}

void spread_to_chosen(const pooled_images& images, const float* gradient, const std::uint8_t* choices,
                      const float* rectified, float* out) {
  rectified == nullptr ? spread(images, gradient, choices, out)
                       : spread_rectified(images, gradient, choices, rectified, out);
}

} // namespace triage
