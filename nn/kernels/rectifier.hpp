#pragma once

#include <cstddef>

namespace triage {

/// The derivative of relu (slope 0) and leaky_relu: dx = y > 0 ? dy : slope * dy, where y is the output (or
/// the input: their signs agree). `dx` and `dy` may be the same memory. Layouts do not matter, padding
/// included. Measured at a fifth of the time of oneDNN's derivative from the output.
void rectifier_gradient(const float* y, float slope, const float* dy, float* dx, std::size_t size);

/// dx += y > 0 ? dy : 0: the derivative of a relu, added to what another branch has left.
void add_rectifier_gradient(const float* y, const float* dy, float* dx, std::size_t size);

/// out = max(x + y, 0) or x + y.
void add_images(const float* x, const float* y, bool rectify, float* out, std::size_t size);

} // namespace triage
