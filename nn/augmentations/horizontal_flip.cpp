#include "nn/augmentations/augmentations.hpp"

#include <algorithm>

namespace triage {

namespace {

/// Each image with the given probability, all channels together.
class horizontal_flip : public augmentation {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "probability", .doc = "part of the images that are mirrored", .min = 0.0, .max = 1.0},
            probability_);
  }

  void apply(std::span<float> batch, const sample_shape& shape, rng& random) override {
    const auto size = static_cast<std::ptrdiff_t>(shape.size());
    for (auto image = batch.begin(); image != batch.end(); image += size)
      if (random.uniform() < probability_)
        for (auto row = image; row != image + size; row += shape.width)
          std::reverse(row, row + shape.width);
  }

  [[nodiscard]] result<void> check(const sample_shape& shape) const override {
    if (!shape.is_image())
      return configuration_error("horizontal_flip needs images, and the samples are vectors of " +
                                 to_string(shape) + " features: remove it from \"augmentation\"");
    return {};
  }

private:
  double probability_ = 0.5;
};

} // namespace

std::unique_ptr<augmentation> make_horizontal_flip() {
  return std::make_unique<horizontal_flip>();
}

} // namespace triage
