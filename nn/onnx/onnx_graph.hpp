#pragma once

#include "core/result.hpp"
#include "core/safetensors.hpp"
#include "core/shape.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace triage {

/// What flows from node to node: batches of images (N x C x H x W) or of rows (N x values).
struct onnx_value {
  std::string name;
  sample_shape shape;
  bool image = false;
};

/// A network as other programs read it: a graph of ONNX operators (operator set 13, IR version 7) over the
/// named tensors of a model. Layers add their nodes one after the other; `encode` writes the file, in the
/// wire format of Protocol Buffers (https://onnx.ai/onnx/repo-docs/IR.html). Owned by one thread.
class onnx_graph {
public:
  struct attribute {
    std::string name;
    std::variant<float, std::int64_t, std::vector<std::int64_t>> what;
  };

  /// Bytes of a message of Protocol Buffers; what lies in files beside it is not supported.
  static constexpr std::size_t largest_file = (std::size_t{1} << 31U) - 1;
  [[nodiscard]] static triage::error too_large();

  /// Borrows the tensors, which must outlive it.
  explicit onnx_graph(std::span<const named_tensor> tensors) : tensors_(tensors) {}

  /// Images keep their shape, everything else is a row.
  [[nodiscard]] onnx_value add_input(std::string name, const sample_shape& shape);
  void add_output(const onnx_value& v, std::string name);

  /// An operator with one output, whose name it returns.
  [[nodiscard]] std::string add(std::string_view op, std::vector<std::string> inputs,
                                std::vector<attribute> attributes = {});
  /// The same, where values keep their shape; `more`: further inputs.
  [[nodiscard]] onnx_value apply(std::string_view op, const onnx_value& input,
                                 std::vector<std::string> more = {}, std::vector<attribute> attributes = {});
  /// A tensor of the model. Precondition: there is one of that name.
  [[nodiscard]] std::string tensor(const std::string& name);
  /// Numbers of the graph itself; `shape` empty: a scalar.
  [[nodiscard]] std::string constant(std::vector<std::int64_t> shape, std::vector<float> values);
  [[nodiscard]] std::string constant(const std::vector<std::int64_t>& values);

  [[nodiscard]] onnx_value as_rows(const onnx_value& v);
  [[nodiscard]] onnx_value as_images(const onnx_value& v);
  /// The activation that layers call so; "none" adds nothing. `slope`: of leaky_relu.
  [[nodiscard]] onnx_value activate(const onnx_value& v, std::string_view activation, double slope = 0.01);

  /// Text beside the graph, by name.
  void note(std::string name, std::string text) { notes_.emplace_back(std::move(name), std::move(text)); }
  /// The file. An error where it would be larger than readers take (2 GB).
  [[nodiscard]] result<std::string> encode(std::string_view graph_name,
                                           std::string_view producer_version) const;

private:
  struct node {
    std::string op;
    std::vector<std::string> inputs;
    std::string output;
    std::vector<attribute> attributes;
  };
  struct initializer {
    std::string name;
    std::vector<std::int64_t> shape;
    std::variant<std::span<const float>, std::vector<float>, std::vector<std::int64_t>> values;
  };
  [[nodiscard]] std::string fresh(std::string_view of);

  std::span<const named_tensor> tensors_;
  std::vector<node> nodes_;
  std::vector<initializer> initializers_;
  std::vector<onnx_value> inputs_;
  std::vector<onnx_value> outputs_;
  std::map<std::string, int, std::less<>> names_; ///< how many of each there are
  std::vector<std::pair<std::string, std::string>> notes_;
};

} // namespace triage
