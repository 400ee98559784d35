#pragma once

#include "actors/run_setup.hpp"

#include <span>
#include <string>

namespace triage {

/// Writes model.safetensors (tensors by name) and model.json (input shape, layers, loss, standardisation: all
/// that is needed to use the model elsewhere) into a directory, which is created.
[[nodiscard]] result<void> write_model_files(const run_setup& setup, std::span<const float> parameters,
                                             const std::string& directory);

} // namespace triage
