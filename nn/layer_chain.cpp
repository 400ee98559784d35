#include "nn/layer_chain.hpp"

#include "nn/onnx/onnx_graph.hpp"

#include <fmt/format.h>

namespace triage {

std::string layer_prefix(const std::string& of_chain, std::size_t index, const layer& l) {
  return fmt::format("{}{}.{}.", of_chain, index, l.type());
}

result<onnx_value> draw_layers(std::span<const std::unique_ptr<layer>> chain, onnx_graph& graph,
                               onnx_value at, const std::string& prefix) {
  for (std::size_t i = 0; i < chain.size(); ++i) {
    auto drawn = chain[i]->draw(graph, at, layer_prefix(prefix, i, *chain[i]));
    if (!drawn.ok())
      return drawn;
    at = drawn.take();
  }
  return at;
}

} // namespace triage
