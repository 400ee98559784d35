#include "nn/kernels/channels.hpp"

#include "nn/kernels/multiversion.hpp"

#include <algorithm>
#include <array>

namespace triage {

namespace {

constexpr std::size_t lanes = 16;

/// The sums of one plane of a single channel.
TRIAGE_INLINE void sum_plane(const float* x, const float* y, std::size_t n, double& sum, double& product) {
  std::array<double, lanes> s{};
  std::array<double, lanes> p{};
  const std::size_t whole = n - n % lanes;
  for (std::size_t i = 0; i < whole; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l) {
      const auto v = static_cast<double>(x[i + l]);
      s[l] += v;
      p[l] += v * static_cast<double>(y[i + l]);
    }
  for (std::size_t i = whole; i < n; ++i) {
    s[i - whole] += static_cast<double>(x[i]);
    p[i - whole] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  }
  sum = 0.0;
  product = 0.0;
  for (std::size_t l = 0; l < lanes; ++l) {
    sum += s[l];
    product += p[l];
  }
}

/// The sums of `block` channels that lie side by side.
TRIAGE_INLINE void sum_block(const float* x, const float* y, const channel_geometry& g, double* sums,
                             double* products) {
  const std::size_t block = g.block;
  std::fill_n(sums, block, 0.0);
  std::fill_n(products, block, 0.0);
  for (std::size_t pixel = 0; pixel < g.plane; ++pixel) {
    const float* const a = x + pixel * block;
    const float* const b = y + pixel * block;
    TRIAGE_INDEPENDENT
    for (std::size_t c = 0; c < block; ++c) {
      const auto v = static_cast<double>(a[c]);
      sums[c] += v;
      products[c] += v * static_cast<double>(b[c]);
    }
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

TRIAGE_MULTIVERSION void sum_channels(const channel_geometry& g, const float* x, const float* y, double* sums,
                                      double* products) {
  const std::size_t slab = g.plane * g.block;
  for (std::size_t k = 0; k < g.batch * g.blocks; ++k)
    if (g.block == 1)
      sum_plane(x + k * slab, y + k * slab, slab, sums[k], products[k]);
    else
      sum_block(x + k * slab, y + k * slab, g, sums + k * g.block, products + k * g.block);
}

TRIAGE_MULTIVERSION void scale_channels(const channel_geometry& g, const channel_affine& by, const float* x,
                                        float* out) {
  const std::size_t slab = g.plane * g.block;
  for (std::size_t k = 0; k < g.batch * g.blocks; ++k) {
    const float* const in = x + k * slab;
    float* const to = out + k * slab;
    if (g.block == 1) {
      const float slope = by.slope[k];
      const float center = by.center[k];
      const float offset = by.offset[k];
      TRIAGE_INDEPENDENT
      for (std::size_t i = 0; i < slab; ++i)
        to[i] = slope * (in[i] - center) + offset;
    } else {
      const float* const slope = by.slope + k * g.block;
      const float* const center = by.center + k * g.block;
      const float* const offset = by.offset + k * g.block;
      for (std::size_t pixel = 0; pixel < slab; pixel += g.block)
        TRIAGE_INDEPENDENT
      for (std::size_t c = 0; c < g.block; ++c)
        to[pixel + c] = slope[c] * (in[pixel + c] - center[c]) + offset[c];
    }
  }
}

TRIAGE_MULTIVERSION void combine_channels(const channel_geometry& g, const float* of_gradient,
                                          const channel_affine& by, const float* dy, const float* x,
                                          float* out) {
  const std::size_t slab = g.plane * g.block;
  for (std::size_t k = 0; k < g.batch * g.blocks; ++k) {
    const float* const in = x + k * slab;
    const float* const gradient = dy + k * slab;
    float* const to = out + k * slab;
    if (g.block == 1) {
      const float factor = of_gradient[k];
      const float slope = by.slope[k];
      const float center = by.center[k];
      const float offset = by.offset[k];
      TRIAGE_INDEPENDENT
      for (std::size_t i = 0; i < slab; ++i)
        to[i] = factor * gradient[i] + slope * (in[i] - center) + offset;
    } else {
      const float* const factor = of_gradient + k * g.block;
      const float* const slope = by.slope + k * g.block;
      const float* const center = by.center + k * g.block;
      const float* const offset = by.offset + k * g.block;
      for (std::size_t pixel = 0; pixel < slab; pixel += g.block)
        TRIAGE_INDEPENDENT
      for (std::size_t c = 0; c < g.block; ++c)
        to[pixel + c] = factor[c] * gradient[pixel + c] + slope[c] * (in[pixel + c] - center[c]) + offset[c];
    }
  }
}

} // namespace triage
