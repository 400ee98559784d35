#include "nn/onnx/onnx_export.hpp"

#include "nn/layer_chain.hpp"
#include "nn/model_tensors.hpp"
#include "nn/onnx/onnx_graph.hpp"

#include <utility>

namespace triage {

namespace {

/// x * scale + shift, per channel.
onnx_value standardise(onnx_graph& graph, const onnx_value& input, const standardisation& s) {
  const auto shape = input.image ? std::vector<std::int64_t>{input.shape.channels, 1, 1}
                                 : std::vector<std::int64_t>{input.shape.channels};
  return graph.apply("Add", graph.apply("Mul", input, {graph.constant(shape, s.scale)}),
                     {graph.constant(shape, s.shift)});
}

/// Names may hold any character.
std::string as_json(const std::vector<std::string>& names) {
  json_value::array all;
  for (const auto& name : names)
    all.emplace_back(name);
  return dump_json(json_value(std::move(all)));
}

} // namespace

result<std::string> to_onnx(const network& net, std::span<const float> parameters,
                            const standardisation& standard, const loss_function& loss,
                            const onnx_about& about) {
  // Before anything is copied.
  if (parameters.size_bytes() >= onnx_graph::largest_file)
    return onnx_graph::too_large();
  const auto tensors = read_model(net.parameters(), parameters);
  onnx_graph graph(tensors);
  auto drawn = draw_layers(net.layers(), graph,
                           standardise(graph, graph.add_input("input", net.input_shape()), standard), "");
  if (!drawn.ok())
    return drawn.error();
  const auto at = graph.as_rows(*drawn);
  if (const auto last = loss.prediction_operator(); last.empty()) {
    graph.add_output(at, "prediction");
  } else {
    graph.add_output(graph.apply(last, at), "prediction");
    graph.add_output(at, "logits");
  }
  if (!about.outputs.empty())
    graph.note("outputs", as_json(about.outputs));
  if (!about.features.empty())
    graph.note("features", as_json(about.features));
  if (!about.input.empty())
    graph.note("input", about.input);
  return graph.encode(about.name.empty() ? "triage" : about.name, about.producer_version);
}

} // namespace triage
