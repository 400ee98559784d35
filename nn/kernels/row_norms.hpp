#pragma once

#include <cstddef>
#include <span>

namespace triage {

/// The Euclidean norm of each row of `width` floats; summed in double.
void row_norms(const float* rows, std::size_t width, std::span<float> norms);

} // namespace triage
