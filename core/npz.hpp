#pragma once

#include "core/npy.hpp"
#include "core/safetensors.hpp"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace triage {

using named_arrays = std::vector<std::pair<std::string, npy_array>>;

/// The arrays of a NumPy archive (stored or deflated), by name without ".npy". Errors are of kind data.
/// Refused are archives whose entries together unpack to more than 1032 times their size, what deflate can
/// reach, or to more than fits into memory.
[[nodiscard]] result<named_arrays> read_npz(const std::string& path);
/// Only those of them, as far as they are there: what is in others, and whether it can be read, is not looked
/// at.
[[nodiscard]] result<named_arrays> read_npz(const std::string& path, std::span<const std::string> wanted);
/// What arrays there are, without reading them.
[[nodiscard]] result<std::vector<std::string>> names_in_npz(const std::string& path);

/// An array to write; borrows its values.
struct npz_entry {
  std::string name;
  std::vector<std::int64_t> shape;
  npy_values values;
};

/// Writes an archive; replaces an existing file in one step.
[[nodiscard]] result<void> write_npz_arrays(const std::vector<npz_entry>& entries, const std::string& path);
/// The same of float tensors.
[[nodiscard]] result<void> write_npz(const std::vector<named_tensor>& tensors, const std::string& path);

} // namespace triage
