#pragma once

#include "core/result.hpp"
#include "core/safetensors.hpp"
#include "nn/parameters.hpp"

#include <span>
#include <vector>

namespace triage {

/// The tensors of a flat block by name, row-major: what checkpoints and exports hold.
[[nodiscard]] std::vector<named_tensor> read_model(const parameter_layout& layout,
                                                   std::span<const float> block);

/// Fills a flat block from tensors. Refuses missing, unknown and wrongly shaped ones, naming them.
[[nodiscard]] result<void> write_model(const parameter_layout& layout,
                                       const std::vector<named_tensor>& tensors, std::span<float> block);

} // namespace triage
