#include "nn/augmentations/augmentations.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <string>

namespace triage {

namespace {

/// Each image by (dy, dx), both uniform in -pixels..pixels. What comes in from outside repeats the border
/// ("edge": a dark background stays dark on standardised images too) or is zero, the mean of a standardised
/// channel.
class shift : public augmentation {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "pixels", .doc = "largest move in each direction", .min = 0, .max = 1024}, pixels_);
    v.field({.name = "padding", .doc = "what comes in from outside", .choices = {"edge", "zero"}}, padding_);
  }

  void apply(std::span<float> batch, const sample_shape& shape, rng& random) override {
    const auto plane = static_cast<std::size_t>(shape.height * shape.width);
    const auto image = static_cast<std::size_t>(shape.size());
    for (std::size_t begin = 0; begin < batch.size(); begin += image) {
      const auto dy = draw(random);
      const auto dx = draw(random);
      for (std::size_t c = 0; c < image; c += plane)
        move_plane(batch.data() + begin + c, shape, dy, dx);
    }
  }

  [[nodiscard]] result<void> check(const sample_shape& shape) const override {
    if (!shape.is_image())
      return configuration_error(fmt::format(
          "shift needs images, and the samples are vectors of {} features: remove it from \"augmentation\"",
          to_string(shape)));
    if (pixels_ >= shape.height || pixels_ >= shape.width)
      return configuration_error(
          fmt::format("shift by {} pixels would move {} images out of sight: lower \"pixels\"", pixels_,
                      to_string(shape)));
    return {};
  }

private:
  [[nodiscard]] std::int64_t draw(rng& random) const {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * pixels_ + 1))) - pixels_;
  }

  /// out[y][x] = in[y + dy][x + dx]. Rows are visited in the order in which none is overwritten before it is
  /// read.
  void move_plane(float* plane, const sample_shape& shape, std::int64_t dy, std::int64_t dx) const {
    for (std::int64_t k = 0; k < shape.height; ++k) {
      const std::int64_t y = dy >= 0 ? k : shape.height - 1 - k;
      const std::int64_t from = std::clamp<std::int64_t>(y + dy, 0, shape.height - 1);
      float* const row = plane + y * shape.width;
      if (from != y + dy && padding_ == "zero")
        std::fill_n(row, shape.width, 0.0F);
      else
        move_row(plane + from * shape.width, row, shape.width, dx);
    }
  }

  /// `in` may be `out`; they do not overlap otherwise.
  void move_row(const float* in, float* out, std::int64_t width, std::int64_t dx) const {
    const bool zero = padding_ == "zero";
    const float fill = zero ? 0.0F : (dx >= 0 ? in[width - 1] : in[0]);
    const std::int64_t kept = width - std::abs(dx);
    if (dx >= 0) {
      std::copy(in + dx, in + width, out);
      std::fill(out + kept, out + width, fill);
    } else {
      std::copy_backward(in, in + kept, out + width);
      std::fill(out, out - dx, fill);
    }
  }

  std::int64_t pixels_ = 2;
  std::string padding_ = "edge";
};

} // namespace

std::unique_ptr<augmentation> make_shift() {
  return std::make_unique<shift>();
}

} // namespace triage
