#pragma once

#include "core/npy.hpp"
#include "core/safetensors.hpp"

#include <string>
#include <utility>
#include <vector>

namespace triage {

/// The arrays of a NumPy archive (stored or deflated), by name without ".npy". Refused are
/// archives whose entries together unpack to more than 1032 times their size, what deflate can reach.
[[nodiscard]] result<std::vector<std::pair<std::string, npy_array>>> read_npz(const std::string& path);

/// Writes float tensors as an archive; replaces an existing file in one step.
[[nodiscard]] result<void> write_npz(const std::vector<named_tensor>& tensors, const std::string& path);

} // namespace triage
