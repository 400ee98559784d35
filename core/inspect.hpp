#pragma once

#include "core/result.hpp"

#include <string>

namespace triage {

/// Describes, for a person, what stands at a path: a run directory, a checkpoint (verified), or a
/// safetensors, npy, npz or IDX file. What it is follows from its contents. Damaged files are errors of kind
/// data.
[[nodiscard]] result<std::string> inspect_file(const std::string& path);

} // namespace triage
