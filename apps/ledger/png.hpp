#pragma once

#include "core/dataset.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace triage {

/// An 8-bit grey (1 channel) or RGB (3 channels) image as a PNG file. `pixels`: rows of interleaved channels.
[[nodiscard]] std::string encode_png(std::span<const std::uint8_t> pixels, std::uint32_t width,
                                     std::uint32_t height, int channels);

[[nodiscard]] std::string encode_base64(std::string_view bytes);

/// Whether samples of this shape can be shown as pictures.
[[nodiscard]] bool is_picture(const sample_shape& shape);
/// One sample as an <img> with its picture inside; floats are stretched to the range of the sample.
/// Precondition: is_picture.
[[nodiscard]] std::string picture_tag(const dataset& set, std::size_t id);

} // namespace triage
