#include "nn/layer.hpp"

#include "nn/quantised/quantised_stage.hpp"

#include "nn/layers/layers.hpp"
#include "nn/onnx/onnx_graph.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace triage {

namespace {

const registry_entry<layer_factory>* find_in(layer_table table, std::string_view name) {
  const auto at = std::find_if(table.begin(), table.end(), [&](const auto& e) { return e.name == name; });
  return at == table.end() ? nullptr : &*at;
}

result<std::unique_ptr<layer>> make_layer(const json_value& description, const json_place& place,
                                          layer_table extra) {
  const auto type = read_type_name(description, place, "layer");
  if (!type.ok())
    return type.error();
  const auto* entry = find_in(layers(), *type);
  if (entry == nullptr)
    entry = find_in(extra, *type);
  if (entry == nullptr) {
    auto names = names_of(layers());
    for (const auto& e : extra)
      names.push_back(e.name);
    return json_error({place.source, place.pointer + "/type"}, description,
                      unknown_name_error("layer", *type, names).message);
  }
  auto made = entry->make();
  if (description.is_object())
    if (auto read = read_options(description, place, [&](option_visitor& v) { made->visit(v); }, {"type"});
        !read.ok())
      return read.error();
  return made;
}

} // namespace

layer_table layers() {
  static constexpr std::array table = {
      registry_entry<layer_factory>{"dense", "fully connected: y = activation(W x + b); flattens its input",
                                    make_dense},
      registry_entry<layer_factory>{
          "conv2d", "two-dimensional convolution with optional groups and activation", make_conv2d},
      registry_entry<layer_factory>{"max_pool", "largest value of each window", make_max_pool},
      registry_entry<layer_factory>{"avg_pool", "mean of each window; padding does not count", make_avg_pool},
      registry_entry<layer_factory>{"global_avg_pool", "mean of each channel: an image becomes a vector",
                                    make_global_avg_pool},
      registry_entry<layer_factory>{"flatten", "an image becomes a vector", make_flatten},
      registry_entry<layer_factory>{"relu", "max(x, 0)", make_relu},
      registry_entry<layer_factory>{"leaky_relu", "x for x > 0, slope * x otherwise", make_leaky_relu},
      registry_entry<layer_factory>{"gelu", "x * Phi(x), with the exact normal distribution function",
                                    make_gelu},
      registry_entry<layer_factory>{"tanh", "hyperbolic tangent", make_tanh},
      registry_entry<layer_factory>{"sigmoid", "1 / (1 + exp(-x))", make_sigmoid},
      registry_entry<layer_factory>{"dropout", "sets a random part of the values to zero in training",
                                    make_dropout},
      registry_entry<layer_factory>{"layer_norm", "normalises each sample over all its values",
                                    make_layer_norm},
      registry_entry<layer_factory>{"group_norm", "normalises each sample over groups of channels",
                                    make_group_norm},
      registry_entry<layer_factory>{"batch_norm", "normalises each channel over the batch", make_batch_norm},
      registry_entry<layer_factory>{
          "residual", "adds the output of inner layers to their input or a shortcut", make_residual},
      registry_entry<layer_factory>{
          "synthetic_wait",
          "emulated compute for scaling measurements: passes its input on and, put first, "
          "makes a training pass take so long",
          make_synthetic_wait},
  };
  return table;
}

result<onnx_value> layer::draw(onnx_graph&, const onnx_value&, const std::string& prefix) const {
  return run_error(fmt::format("layer \"{}\" has no form in ONNX; safetensors and npz hold every model",
                               prefix.substr(0, prefix.size() - 1)));
}

std::unique_ptr<quantised_stage> layer::quantise(const quantised_request&) const {
  return nullptr;
}

void layer::declare(parameter_layout&, const std::string&, std::int64_t) {}

json_value layer::describe() const {
  json_value out;
  out.set("type", json_value(type()));
  // visit() only reads here; the visitor interface is shared with reading from JSON.
  auto& self = const_cast<layer&>(*this);
  const auto options = write_options([&](option_visitor& v) { self.visit(v); });
  for (const auto& [name, value] : options.as_object())
    out.set(name, value);
  return out;
}

result<std::vector<std::unique_ptr<layer>>> make_layers(const json_value& array, const json_place& place,
                                                        const sample_shape& input, layer_table extra) {
  if (!array.is_array())
    return json_error(place, array, fmt::format("must be an array of layers, not {}", array.type_name()));
  std::vector<std::unique_ptr<layer>> chain;
  sample_shape shape = input;
  for (std::size_t i = 0; i < array.as_array().size(); ++i) {
    const json_value& description = array.as_array()[i];
    const json_place here{place.source, fmt::format("{}/{}", place.pointer, i)};
    auto made = make_layer(description, here, extra);
    if (!made.ok())
      return made.error();
    const auto out = (*made)->connect(shape);
    if (!out.ok())
      return json_error(here, description,
                        fmt::format("layer {} ({}) cannot take an input of shape {}: {}", i, (*made)->type(),
                                    to_string(shape), out.error().message));
    shape = *out;
    constexpr std::int64_t most = std::int64_t{1} << 31;
    if (shape.channels > most || shape.height > most || shape.width > most ||
        shape.channels * shape.height > most || shape.size() > most)
      return json_error(
          here, description,
          fmt::format("layer {} ({}) would produce {} values per sample; that is more than 2^31", i,
                      (*made)->type(), to_string(shape)));
    chain.push_back(made.take());
  }
  return chain;
}

} // namespace triage
