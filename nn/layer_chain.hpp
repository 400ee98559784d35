#pragma once

#include "nn/layer.hpp"

#include <memory>
#include <span>
#include <string>

namespace triage {

/// What the names of a layer's tensors begin with: "3.conv2d." behind that of the chain.
[[nodiscard]] std::string layer_prefix(const std::string& of_chain, std::size_t index, const layer& l);

/// Adds the nodes of a chain of layers to a graph; the error names the layer.
[[nodiscard]] result<onnx_value> draw_layers(std::span<const std::unique_ptr<layer>> chain, onnx_graph& graph,
                                             onnx_value at, const std::string& prefix);

} // namespace triage
