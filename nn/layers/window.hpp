#pragma once

#include "core/options.hpp"
#include "core/result.hpp"
#include "core/shape.hpp"

#include <cstdint>

namespace triage {

/// A square window that moves over an image: the geometry shared by convolutions and pools.
struct window {
  std::int64_t size = 2;
  std::int64_t stride = 0;                  ///< 0: as large as the window
  json_value padding = json_value("valid"); ///< "same", "valid", or pixels on each side

  /// What the geometry comes to for one input.
  struct placement {
    std::int64_t out_height = 0;
    std::int64_t out_width = 0;
    std::int64_t top = 0;
    std::int64_t bottom = 0;
    std::int64_t left = 0;
    std::int64_t right = 0;
  };
  [[nodiscard]] std::int64_t step() const { return stride == 0 ? size : stride; }
  /// "same" gives ceil(in / stride) outputs, padding what is missing with the larger half behind; "valid"
  /// pads nothing; a number pads that many on each side.
  [[nodiscard]] result<placement> place(const sample_shape& input) const;
};

/// Whether a convolution runs by Winograd's algorithm where the processor has kernels for it: where tiles of
/// 4x4 outputs save half of the multiplications or more. By shape alone, never by a measurement: the same run
/// must use the same arithmetic each time.
[[nodiscard]] inline bool suits_winograd(const window& w, std::int64_t groups, const sample_shape& input,
                                         const sample_shape& output) {
  const auto tiles = ((output.height + 3) / 4) * ((output.width + 3) / 4);
  return w.size == 3 && w.step() == 1 && groups == 1 && input.channels >= 16 && output.channels >= 16 &&
         output.height * output.width * 9 >= 2 * 36 * tiles;
}

} // namespace triage
