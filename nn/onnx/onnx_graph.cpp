#include "nn/onnx/onnx_graph.hpp"

#include "nn/onnx/protobuf_writer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <fmt/format.h>
#include <stdexcept>
#include <type_traits>

namespace triage {

namespace {

constexpr std::int64_t ir_version = 7;
constexpr std::int64_t operator_set = 13;

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

/// onnx.TensorProto.DataType
enum class element : std::uint8_t { float32 = 1, int64 = 7 };
/// onnx.AttributeProto.AttributeType
enum class attribute_kind : std::uint8_t { real = 1, integer = 2, integers = 7 };

template <class Values>
element element_of(const Values&) {
  return std::is_same_v<typename Values::value_type, std::int64_t> ? element::int64 : element::float32;
}

template <class Values>
std::string_view bytes_of(const Values& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])};
}

protobuf_writer encode_attribute(const onnx_graph::attribute& a) {
  protobuf_writer out;
  out.text(1, a.name);
  if (const auto* real = std::get_if<float>(&a.what))
    return out.real(2, *real).number(20, static_cast<std::int64_t>(attribute_kind::real));
  if (const auto* integer = std::get_if<std::int64_t>(&a.what))
    return out.number(3, *integer).number(20, static_cast<std::int64_t>(attribute_kind::integer));
  for (const auto i : std::get<std::vector<std::int64_t>>(a.what))
    out.number(8, i);
  return out.number(20, static_cast<std::int64_t>(attribute_kind::integers));
}

protobuf_writer encode_tensor(const std::string& name, std::span<const std::int64_t> shape, element type,
                              std::string_view bytes) {
  protobuf_writer out;
  for (const auto n : shape)
    out.number(1, n);
  return out.number(2, static_cast<std::int64_t>(type)).text(8, name).text(9, bytes);
}

/// A name and its type: float32, of any batch size.
protobuf_writer encode_value(const onnx_value& v) {
  const auto& s = v.shape;
  const std::vector<std::int64_t> sizes = v.image ? std::vector<std::int64_t>{s.channels, s.height, s.width}
                                                  : std::vector<std::int64_t>{s.size()};
  protobuf_writer shape;
  shape.message(1, protobuf_writer().text(2, "batch"));
  for (const auto n : sizes)
    shape.message(1, protobuf_writer().number(1, n));
  const auto tensor =
      protobuf_writer().number(1, static_cast<std::int64_t>(element::float32)).message(2, shape);
  return protobuf_writer().text(1, v.name).message(2, protobuf_writer().message(1, tensor));
}

} // namespace

error onnx_graph::too_large() {
  return run_error(
      "the model is larger than 2 GB, more than one ONNX file holds; export safetensors instead");
}

std::string onnx_graph::fresh(std::string_view of) {
  return fmt::format("{}_{}", of, names_[std::string(of)]++);
}

onnx_value onnx_graph::add_input(std::string name, const sample_shape& shape) {
  inputs_.push_back({std::move(name), shape, shape.is_image()});
  return inputs_.back();
}

void onnx_graph::add_output(const onnx_value& v, std::string name) {
  nodes_.push_back({"Identity", {v.name}, name, {}});
  outputs_.push_back({std::move(name), v.shape, v.image});
}

std::string onnx_graph::add(std::string_view op, std::vector<std::string> inputs,
                            std::vector<attribute> attributes) {
  nodes_.push_back({std::string(op), std::move(inputs), fresh(op), std::move(attributes)});
  return nodes_.back().output;
}

onnx_value onnx_graph::apply(std::string_view op, const onnx_value& input, std::vector<std::string> more,
                             std::vector<attribute> attributes) {
  more.insert(more.begin(), input.name);
  return {add(op, std::move(more), std::move(attributes)), input.shape, input.image};
}

std::string onnx_graph::tensor(const std::string& name) {
  const auto at =
      std::find_if(tensors_.begin(), tensors_.end(), [&](const auto& t) { return t.name == name; });
  if (at == tensors_.end())
    throw std::logic_error("a layer names a tensor that it has not declared: " + name);
  if (std::none_of(initializers_.begin(), initializers_.end(), [&](const auto& i) { return i.name == name; }))
    initializers_.push_back({name, at->shape, std::span<const float>(at->values)});
  return name;
}

std::string onnx_graph::constant(std::vector<std::int64_t> shape, std::vector<float> values) {
  initializers_.push_back({fresh("constant"), std::move(shape), std::move(values)});
  return initializers_.back().name;
}

std::string onnx_graph::constant(const std::vector<std::int64_t>& values) {
  initializers_.push_back({fresh("constant"), {static_cast<std::int64_t>(values.size())}, values});
  return initializers_.back().name;
}

onnx_value onnx_graph::as_rows(const onnx_value& v) {
  if (!v.image)
    return v;
  return {add("Flatten", {v.name}, {{"axis", std::int64_t{1}}}), v.shape, false};
}

onnx_value onnx_graph::as_images(const onnx_value& v) {
  if (v.image)
    return v;
  // 0: as many as there are.
  const auto shape = constant({0, v.shape.channels, v.shape.height, v.shape.width});
  return {add("Reshape", {v.name, shape}), v.shape, true};
}

onnx_value onnx_graph::activate(const onnx_value& v, std::string_view activation, double slope) {
  struct named {
    std::string_view ours;
    std::string_view theirs;
  };
  static constexpr std::array table = {named{"relu", "Relu"}, named{"tanh", "Tanh"},
                                       named{"sigmoid", "Sigmoid"}};
  if (activation == "leaky_relu")
    return apply("LeakyRelu", v, {}, {{"alpha", static_cast<float>(slope)}});
  if (activation == "gelu") { // x/2 (1 + erf(x / sqrt 2)); an operator of its own since operator set 20
    const auto scaled = apply("Mul", v, {constant({}, {0.70710678118654752F})});
    const auto risen = apply("Add", apply("Erf", scaled), {constant({}, {1.0F})});
    return apply("Mul", apply("Mul", v, {risen.name}), {constant({}, {0.5F})});
  }
  const auto at =
      std::find_if(table.begin(), table.end(), [&](const auto& n) { return n.ours == activation; });
  if (at == table.end() && activation != "none")
    throw std::logic_error("an activation without a form in ONNX: " + std::string(activation));
  return at == table.end() ? v : apply(at->theirs, v);
}

result<std::string> onnx_graph::encode(std::string_view graph_name, std::string_view producer_version) const {
  protobuf_writer graph;
  for (const auto& n : nodes_) {
    protobuf_writer out;
    for (const auto& i : n.inputs)
      out.text(1, i);
    out.text(2, n.output).text(3, n.output).text(4, n.op);
    for (const auto& a : n.attributes)
      out.message(5, encode_attribute(a));
    graph.message(1, out);
  }
  graph.text(2, graph_name);
  for (const auto& i : initializers_) {
    std::visit(
        [&](const auto& v) { graph.message(5, encode_tensor(i.name, i.shape, element_of(v), bytes_of(v))); },
        i.values);
    if (graph.bytes().size() > largest_file)
      return too_large();
  }
  for (const auto& v : inputs_)
    graph.message(11, encode_value(v));
  for (const auto& v : outputs_)
    graph.message(12, encode_value(v));
  protobuf_writer model;
  model.number(1, ir_version).text(2, "triage").text(3, producer_version).message(7, graph);
  model.message(8, protobuf_writer().text(1, "").number(2, operator_set));
  for (const auto& [name, text] : notes_)
    model.message(14, protobuf_writer().text(1, name).text(2, text));
  if (model.bytes().size() > largest_file)
    return too_large();
  return std::move(model).take();
}

} // namespace triage
