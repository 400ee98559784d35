#pragma once

#include <cstddef>
#include <cstdint>

namespace triage {

/// Images whose innermost dimension is a block of channels, which are pooled in windows of 2x2 side by side.
/// Height and width are those of the pooled image.
struct pooled_images {
  std::size_t planes = 0; ///< images times blocks of channels
  std::size_t height = 0;
  std::size_t width = 0;
  std::size_t block = 0; ///< channels that are neighbours in memory

  [[nodiscard]] std::size_t pooled_floats() const { return planes * height * width * block; }
};

/// The largest value of each window, and which of the four it was (the first of equals), one byte each.
/// `choices`: null where nobody will ask.
void largest_of_four(const pooled_images& images, const float* in, float* out, std::uint8_t* choices);

/// Gives each window's gradient to the chosen value and zero to the others. `rectified`: the pooled values
/// where those that are not positive take no gradient; else null.
void spread_to_chosen(const pooled_images& images, const float* gradient, const std::uint8_t* choices,
                      const float* rectified, float* out);

} // namespace triage
