#pragma once

#include "nn/network.hpp"

#include <algorithm>
#include <cstddef>

namespace triage {

/// How many samples an inference pass should take: as many as keep the widest activation (of
/// `bytes_per_value` each) in a second-level cache of 1 MiB, within limits that keep the matrix kernels busy
/// and memory small.
[[nodiscard]] inline std::size_t inference_pass_size(const network& net, std::size_t bytes_per_value) {
  constexpr std::size_t cache = std::size_t{1} << 20U;
  constexpr std::size_t least = 32;
  constexpr std::size_t most = 256;
  auto widest = static_cast<std::size_t>(net.input_shape().size());
  for (const auto& l : net.layers())
    widest = std::max(widest, static_cast<std::size_t>(l->output_shape().size()));
  return std::clamp(cache / (widest * bytes_per_value) / 16 * 16, least, most);
}

} // namespace triage
