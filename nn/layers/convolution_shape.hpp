#pragma once

#include "core/shape.hpp"
#include "nn/layers/window.hpp"

#include <cstddef>
#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>

namespace triage {

/// A convolution as its stages need it.
struct convolution_shape {
  sample_shape in;
  sample_shape out;
  std::int64_t groups = 1;
  std::int64_t size = 1;
  std::int64_t step = 1;
  window::placement place;
  std::string activation;
  dnnl::memory::data_type multiplied = dnnl::memory::data_type::f32;
  std::size_t weight = 0; ///< where its tensors start in the flat block
  std::optional<std::size_t> bias;

  [[nodiscard]] dnnl::memory::dims strides() const { return {step, step}; }
  [[nodiscard]] dnnl::memory::dims before() const { return {place.top, place.left}; }
  [[nodiscard]] dnnl::memory::dims after() const { return {place.bottom, place.right}; }
  /// The weights in row-major layout, or in `any` that a kernel likes.
  [[nodiscard]] dnnl::memory::desc
  weights(bool any, dnnl::memory::data_type type = dnnl::memory::data_type::f32) const {
    using tag = dnnl::memory::format_tag;
    if (groups == 1)
      return {{out.channels, in.channels, size, size}, type, any ? tag::any : tag::oihw};
    return {
        {groups, out.channels / groups, in.channels / groups, size, size}, type, any ? tag::any : tag::goihw};
  }
  [[nodiscard]] dnnl::memory::desc bias_layout() const {
    return {{out.channels}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::a};
  }
};

} // namespace triage
