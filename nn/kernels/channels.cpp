#include "nn/kernels/channels.hpp"

#include "core/multiversion.hpp"
#include "core/prefetch.hpp"

#include <algorithm>
#include <array>

namespace triage {

namespace {

constexpr std::size_t lanes = 16;

TRIAGE_INLINE float image(const channel_affine& by, std::size_t k, float x) {
  return by.slope[k] * (x - by.center[k]) + by.offset[k];
}

/// The factors of the channels from `k` on.
TRIAGE_INLINE channel_affine from(const channel_affine& by, std::size_t k) {
  return {by.slope + k, by.center + k, by.offset + k};
}

/// The sums of one plane of a single channel.
template <bool Masked>
TRIAGE_INLINE void sum_plane(const float* x, const float* y, const channel_affine& relu, std::size_t n,
                             double& sum, double& product) {
  std::array<double, lanes> s{};
  std::array<double, lanes> p{};
  const auto add = [&](std::size_t l, std::size_t i) {
    float v = x[i];
    if constexpr (Masked)
      v = image(relu, 0, y[i]) > 0.0F ? v : 0.0F;
    s[l] += static_cast<double>(v);
    p[l] += static_cast<double>(v) * static_cast<double>(y[i]);
  };
  const std::size_t whole = n - n % lanes;
  for (std::size_t i = 0; i < whole; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l)
      add(l, i + l);
  for (std::size_t i = whole; i < n; ++i)
    add(i - whole, i);
  sum = 0.0;
  product = 0.0;
  for (std::size_t l = 0; l < lanes; ++l) {
    sum += s[l];
    product += p[l];
  }
}

/// The sums of `Block` channels that lie side by side, in registers; pixels are `g.block` channels apart.
template <std::size_t Block, bool Masked>
TRIAGE_INLINE void sum_block(const float* x, const float* y, const channel_affine& relu,
                             const channel_geometry& g, double* sums, double* products) {
  std::array<double, Block> s{};
  std::array<double, Block> p{};
  for (std::size_t pixel = 0; pixel < g.plane; ++pixel, x += g.block, y += g.block) {
    fetch_ahead(x);
    fetch_ahead(y);
    for (std::size_t c = 0; c < Block; ++c) {
      float v = x[c];
      if constexpr (Masked)
        v = image(relu, c, y[c]) > 0.0F ? v : 0.0F;
      s[c] += static_cast<double>(v);
      p[c] += static_cast<double>(v) * static_cast<double>(y[c]);
    }
  }
  std::copy(s.begin(), s.end(), sums);
  std::copy(p.begin(), p.end(), products);
}

/// The same for any number of channels.
template <bool Masked>
TRIAGE_INLINE void sum_row(const float* x, const float* y, const channel_affine& relu,
                           const channel_geometry& g, double* sums, double* products) {
  std::fill_n(sums, g.block, 0.0);
  std::fill_n(products, g.block, 0.0);
  for (std::size_t pixel = 0; pixel < g.plane; ++pixel, x += g.block, y += g.block)
    TRIAGE_INDEPENDENT
  for (std::size_t c = 0; c < g.block; ++c) {
    float v = x[c];
    if constexpr (Masked)
      v = image(relu, c, y[c]) > 0.0F ? v : 0.0F;
    sums[c] += static_cast<double>(v);
    products[c] += static_cast<double>(v) * static_cast<double>(y[c]);
  }
}

template <bool Masked>
TRIAGE_INLINE void sum_all(const channel_geometry& g, const float* x, const float* y,
                           const channel_affine& relu, double* sums, double* products) {
  const std::size_t slab = g.plane * g.block;
  for (std::size_t k = 0; k < g.batch * g.blocks; ++k) {
    const auto mask = Masked ? from(relu, k * g.block) : relu;
    const float* const a = x + k * slab;
    const float* const b = y + k * slab;
    double* const sum = sums + k * g.block;
    double* const product = products + k * g.block;
    if (g.block == 1)
      sum_plane<Masked>(a, b, mask, slab, *sum, *product);
    else if (g.block % lanes == 0)
      for (std::size_t c = 0; c < g.block; c += lanes)
        sum_block<lanes, Masked>(a + c, b + c, Masked ? from(mask, c) : mask, g, sum + c, product + c);
    else
      sum_row<Masked>(a, b, mask, g, sum, product);
  }
}

/// Calls element(channel, position) for every value of a slab, and ahead(position) some way before; the
/// channel counts from the slab's first one.
template <std::size_t Block, class Element, class Ahead>
TRIAGE_INLINE void each_of_block(std::size_t slab, std::size_t block, const Element& element,
                                 const Ahead& ahead) {
  const std::size_t step = Block == 0 ? block : Block;
  for (std::size_t pixel = 0; pixel < slab; pixel += step) {
    for (std::size_t line = 0; line < step; line += lanes)
      ahead(pixel + line);
    TRIAGE_INDEPENDENT
    for (std::size_t c = 0; c < step; ++c)
      element(c, pixel + c);
  }
}

template <class Element, class Ahead>
TRIAGE_INLINE void each(const channel_geometry& g, const Element& element, const Ahead& ahead) {
  const std::size_t slab = g.plane * g.block;
  if (g.block == 1) {
    TRIAGE_INDEPENDENT
    for (std::size_t i = 0; i < slab; ++i)
      element(0, i);
  } else if (g.block == 16) {
    each_of_block<16>(slab, g.block, element, ahead);
  } else {
    each_of_block<0>(slab, g.block, element, ahead);
  }
}

template <bool Rectify>
TRIAGE_INLINE void scale_all(const channel_geometry& g, const channel_affine& by, const float* x,
                             float* out) {
  const std::size_t slab = g.plane * g.block;
  for (std::size_t k = 0; k < g.batch * g.blocks; ++k) {
    const auto factors = from(by, k * g.block);
    const float* const in = x + k * slab;
    float* const to = out + k * slab;
    each(
        g,
        [&](std::size_t c, std::size_t i) {
          const float v = image(factors, c, in[i]);
          to[i] = Rectify && v < 0.0F ? 0.0F : v;
        },
        [&](std::size_t i) { fetch_ahead(in + i); });
  }
}

template <bool Masked>
TRIAGE_INLINE void combine_all(const channel_geometry& g, const float* of_gradient, const channel_affine& by,
                               const channel_affine& relu, const float* dy, const float* x, float* out) {
  const std::size_t slab = g.plane * g.block;
  for (std::size_t k = 0; k < g.batch * g.blocks; ++k) {
    const auto factors = from(by, k * g.block);
    const auto mask = Masked ? from(relu, k * g.block) : relu;
    const float* const share = of_gradient + k * g.block;
    const float* const in = x + k * slab;
    const float* const gradient = dy + k * slab;
    float* const to = out + k * slab;
    each(
        g,
        [&](std::size_t c, std::size_t i) {
          float d = gradient[i];
          if constexpr (Masked)
            d = image(mask, c, in[i]) > 0.0F ? d : 0.0F;
          to[i] = share[c] * d + image(factors, c, in[i]);
        },
        [&](std::size_t i) {
          fetch_ahead(in + i);
          fetch_ahead(gradient + i);
        });
  }
}

} // namespace

std::optional<channel_geometry> channel_geometry::of(const tensor_layout& layout, const sample_shape& shape) {
  using tag = dnnl::memory::format_tag;
  const auto& descriptor = layout.descriptor();
  const auto dims = descriptor.dims();
  const auto matches = [&](tag t) {
    return descriptor == dnnl::memory::desc(dims, dnnl::memory::data_type::f32, t);
  };
  const auto batch = static_cast<std::size_t>(dims[0]);
  const auto channels = static_cast<std::size_t>(shape.channels);
  const auto plane = static_cast<std::size_t>(shape.height * shape.width);
  const auto blocked = [&](std::size_t block) {
    return channel_geometry{batch, (channels + block - 1) / block, plane, block};
  };
  if (dims.size() != 4)
    return std::nullopt;
  if (matches(tag::nhwc) || (plane == 1 && matches(tag::nchw)))
    return blocked(channels);
  if (matches(tag::nchw))
    return blocked(1);
  if (matches(tag::nChw8c))
    return blocked(8);
  if (matches(tag::nChw16c))
    return blocked(16);
  return std::nullopt;
}

TRIAGE_MULTIVERSION void scale_channels(const channel_geometry& g, const channel_affine& by, bool rectify,
                                        const float* x, float* out) {
  rectify ? scale_all<true>(g, by, x, out) : scale_all<false>(g, by, x, out);
}

TRIAGE_MULTIVERSION void sum_channels(const channel_geometry& g, const float* x, const float* y,
                                      const channel_affine* relu, double* sums, double* products) {
  relu != nullptr ? sum_all<true>(g, x, y, *relu, sums, products)
                  : sum_all<false>(g, x, y, {}, sums, products);
}

TRIAGE_MULTIVERSION void combine_channels(const channel_geometry& g, const float* of_gradient,
                                          const channel_affine& by, const channel_affine* relu,
                                          const float* dy, const float* x, float* out) {
  relu != nullptr ? combine_all<true>(g, of_gradient, by, *relu, dy, x, out)
                  : combine_all<false>(g, of_gradient, by, {}, dy, x, out);
}

} // namespace triage
