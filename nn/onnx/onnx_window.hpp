#pragma once

#include "nn/layers/window.hpp"
#include "nn/onnx/onnx_graph.hpp"

#include <vector>

namespace triage {

/// As ONNX describes it to convolutions and pools.
[[nodiscard]] std::vector<onnx_graph::attribute> onnx_window(std::int64_t size, std::int64_t step,
                                                             const window::placement& place);

} // namespace triage
