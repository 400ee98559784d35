#include "nn/onnx/onnx_export.hpp"

#include "nn/layer_chain.hpp"
#include "nn/model_tensors.hpp"
#include "nn/onnx/onnx_graph.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace triage {

namespace {

/// x * scale + shift, per channel. Beside a large mean a product that is rounded to single precision is off
/// by as much as the spread.
onnx_value standardise(onnx_graph& graph, const onnx_value& input, const standardisation& s) {
  constexpr float large_shift = 4.0F; // in deviations; pixels have less
  constexpr std::int64_t to_float = 1;
  constexpr std::int64_t to_double = 11;
  const auto shape = input.image ? std::vector<std::int64_t>{input.shape.channels, 1, 1}
                                 : std::vector<std::int64_t>{input.shape.channels};
  const auto scale = graph.constant(shape, s.scale);
  const auto shift = graph.constant(shape, s.shift);
  if (std::ranges::none_of(s.shift, [](float v) { return std::abs(v) > large_shift; }))
    return graph.apply("Add", graph.apply("Mul", input, {scale}), {shift});
  const auto widened = [&](const std::string& v) { return graph.add("Cast", {v}, {{"to", to_double}}); };
  const auto product =
      graph.apply("Mul", graph.apply("Cast", input, {}, {{"to", to_double}}), {widened(scale)});
  return graph.apply("Cast", graph.apply("Add", product, {widened(shift)}), {}, {{"to", to_float}});
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
