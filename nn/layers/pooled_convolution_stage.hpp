#pragma once

#include "nn/layer.hpp"
#include "nn/layers/convolution_shape.hpp"

#include <memory>

namespace triage {

/// The first convolution of a network with the relu and the max pool of 2x2 behind it, by kernels of our own
/// (see nn/kernels/pooled_convolution.hpp); null where the layers that follow are others, an input gradient
/// or those of single samples are wanted, or there is no kernel for its windows, channels or this processor.
[[nodiscard]] std::unique_ptr<stage> make_pooled_convolution_stage(const stage_request& r,
                                                                   const convolution_shape& shape);

} // namespace triage
