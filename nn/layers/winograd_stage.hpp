#pragma once

#include "nn/layer.hpp"
#include "nn/layers/convolution_shape.hpp"

#include <memory>

namespace triage {

/// A convolution of 3x3 windows with stride 1 by kernels of our own (see nn/kernels/winograd.hpp), without an
/// activation or with relu; null where there are none for its channels, activation or this processor.
[[nodiscard]] std::unique_ptr<stage> make_winograd_stage(const stage_request& r,
                                                         const convolution_shape& shape);

} // namespace triage
