#pragma once

#include "core/shape.hpp"

#include <cstddef>
#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>

namespace triage {

/// How a batch of samples lies in memory. Plain is NCHW; others are the blocked layouts that
/// oneDNN's convolutions want. Blocked layouts may be padded; the padding is always zero.
class tensor_layout {
public:
  tensor_layout() = default;
  explicit tensor_layout(dnnl::memory::desc descriptor) : descriptor_(std::move(descriptor)) {}

  /// Sample-major, then channel, row, column. A vector is an image of 1x1 planes: the same memory.
  [[nodiscard]] static tensor_layout plain(std::int64_t batch, const sample_shape& shape) {
    return tensor_layout(dnnl::memory::desc({batch, shape.channels, shape.height, shape.width},
                                            dnnl::memory::data_type::f32, dnnl::memory::format_tag::nchw));
  }

  /// In blocks of channels: [sample][channel / block][row][column][block]. `block` is 8 or 16.
  [[nodiscard]] static tensor_layout blocked(std::int64_t batch, const sample_shape& shape,
                                             std::size_t block) {
    using tag = dnnl::memory::format_tag;
    return tensor_layout(dnnl::memory::desc({batch, shape.channels, shape.height, shape.width},
                                            dnnl::memory::data_type::f32,
                                            block == 16 ? tag::nChw16c : tag::nChw8c));
  }

  [[nodiscard]] const dnnl::memory::desc& descriptor() const { return descriptor_; }
  /// Floats to reserve, padding included.
  [[nodiscard]] std::size_t floats() const { return descriptor_.get_size() / sizeof(float); }
  bool operator==(const tensor_layout& other) const { return descriptor_ == other.descriptor_; }

private:
  dnnl::memory::desc descriptor_;
};

} // namespace triage
