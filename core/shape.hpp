#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace triage {

/// The shape of one sample: an image of `channels` planes, or a vector of `channels` features (height and
/// width 1). Batches are laid out sample-major, then channel, row, column (NCHW).
struct sample_shape {
  std::int64_t channels = 0;
  std::int64_t height = 1;
  std::int64_t width = 1;

  [[nodiscard]] std::int64_t size() const { return channels * height * width; }
  [[nodiscard]] bool is_image() const { return height > 1 || width > 1; }
  bool operator==(const sample_shape&) const = default;
};

/// "1x28x28" for an image, "784" for a vector.
[[nodiscard]] std::string to_string(const sample_shape& shape);

} // namespace triage
