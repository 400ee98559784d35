#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"
#include "core/rng.hpp"
#include "core/shape.hpp"

#include <memory>
#include <span>
#include <vector>

namespace triage {

/// A random change of images, in place, on a batch of standardised samples (NCHW).
class augmentation : public configurable {
public:
  virtual void apply(std::span<float> batch, const sample_shape& shape, rng& random) = 0;
  /// Why it cannot work on such samples, or success.
  [[nodiscard]] virtual result<void> check(const sample_shape& shape) const = 0;
};

using augmentation_factory = std::unique_ptr<augmentation> (*)();
/// shift (pad and crop by up to `pixels`; padding edge or zero), horizontal_flip (probability).
[[nodiscard]] registry_table<augmentation_factory> augmentations();
/// From the "augmentation" array of a run description.
[[nodiscard]] result<std::vector<std::unique_ptr<augmentation>>>
make_augmentations(const json_value& description, const json_place& place);

} // namespace triage
