#pragma once

#include "tests/nn/onnx/protobuf_message.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

// Reads ONNX files and computes what they say, in double and plain loops, after the specification of the
// operators (https://onnx.ai/onnx/operators) and with nothing of the program's own.

namespace triage::test {

struct onnx_tensor {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
  bool wide = false; ///< of doubles; else every value is rounded to a float
};

/// Refers to the file.
class onnx_reader {
public:
  explicit onnx_reader(std::string_view file) : model_(file) {
    graph_ = model_.text(7);
    const protobuf_message graph(graph_);
    for (const auto& f : graph.all(5))
      add_initializer(protobuf_message(f.bytes));
  }

  [[nodiscard]] std::int64_t ir_version() const { return model_.integer(1); }
  [[nodiscard]] std::int64_t operator_set() const { return protobuf_message(model_.text(8)).integer(2); }
  [[nodiscard]] std::map<std::string, std::string> notes() const {
    std::map<std::string, std::string> out;
    for (const auto& f : model_.all(14))
      out[std::string(protobuf_message(f.bytes).text(1))] = protobuf_message(f.bytes).text(2);
    return out;
  }
  /// "name: batch x 1 x 28 x 28", for inputs (11) or outputs (12).
  [[nodiscard]] std::vector<std::string> values(std::uint32_t which) const {
    std::vector<std::string> out;
    const protobuf_message graph(graph_);
    for (const auto& f : graph.all(which)) {
      const protobuf_message v(f.bytes);
      const protobuf_message tensor(protobuf_message(v.text(2)).text(1));
      CHECK(tensor.integer(1) == 1); // float32
      std::string line = std::string(v.text(1)) + ":";
      for (const auto& d : protobuf_message(tensor.text(2)).all(1)) {
        const protobuf_message size(d.bytes);
        line += line.back() == ':' ? " " : " x ";
        line += size.all(2).empty() ? std::to_string(size.integer(1)) : std::string(size.text(2));
      }
      out.push_back(line);
    }
    return out;
  }

  /// All that the graph computes, by name.
  [[nodiscard]] std::map<std::string, onnx_tensor> run(const onnx_tensor& input) const {
    auto known = initializers_;
    known["input"] = input;
    const protobuf_message graph(graph_);
    for (const auto& f : graph.all(1)) {
      const protobuf_message node(f.bytes);
      std::vector<onnx_tensor> in;
      for (const auto& name : node.all(1)) {
        const auto at = known.find(std::string(name.bytes));
        REQUIRE_MESSAGE(at != known.end(), "not computed yet: ", std::string(name.bytes));
        in.push_back(at->second);
      }
      const std::string out(node.text(2));
      REQUIRE_MESSAGE(!known.contains(out), "computed twice: ", out);
      known[out] = rounded(node, in, compute(std::string(node.text(4)), in, node));
    }
    return known;
  }

private:
  using shape_list = std::vector<std::int64_t>;

  static onnx_tensor rounded(const protobuf_message& node, const std::vector<onnx_tensor>& in,
                             onnx_tensor out) {
    if (node.text(4) == "Cast") {
      const auto to = integers(node, "to", {}).front();
      REQUIRE((to == 1 || to == 11));
      out.wide = to == 11;
    } else {
      out.wide = in.front().wide;
      for (const auto& t : in)
        REQUIRE(t.wide == out.wide);
    }
    for (double& v : out.values)
      v = out.wide ? v : static_cast<double>(static_cast<float>(v));
    return out;
  }

  static std::int64_t product(const shape_list& s, std::size_t from = 0) {
    return std::accumulate(s.begin() + static_cast<std::ptrdiff_t>(from), s.end(), std::int64_t{1},
                           std::multiplies<>());
  }

  void add_initializer(const protobuf_message& m) {
    onnx_tensor t;
    for (const auto& d : m.all(1))
      t.shape.push_back(static_cast<std::int64_t>(d.integer));
    const auto bytes = m.text(9);
    const auto read = [&]<class T>(T) {
      std::vector<T> values(bytes.size() / sizeof(T));
      std::memcpy(values.data(), bytes.data(), bytes.size());
      t.values.assign(values.begin(), values.end());
    };
    if (m.integer(2) == 1)
      read(float{});
    else
      read(std::int64_t{});
    REQUIRE(product(t.shape) == static_cast<std::int64_t>(t.values.size()));
    initializers_[std::string(m.text(8))] = std::move(t);
  }

  static shape_list integers(const protobuf_message& node, const std::string& name, shape_list otherwise) {
    for (const auto& f : node.all(5)) {
      const protobuf_message a(f.bytes);
      if (a.text(1) != name)
        continue;
      if (a.integer(20) == 2)
        return {a.integer(3)};
      CHECK(a.integer(20) == 7);
      shape_list out;
      for (const auto& i : a.all(8))
        out.push_back(static_cast<std::int64_t>(i.integer));
      return out;
    }
    return otherwise;
  }
  static double real(const protobuf_message& node, const std::string& name) {
    for (const auto& f : node.all(5)) {
      const protobuf_message a(f.bytes);
      float value = 0.0F;
      if (a.text(1) == name && a.integer(20) == 1) {
        std::memcpy(&value, a.text(2).data(), sizeof value);
        return static_cast<double>(value);
      }
    }
    FAIL("no attribute ", name);
    return 0.0;
  }

  static onnx_tensor broadcast(const onnx_tensor& a, const onnx_tensor& b,
                               const std::function<double(double, double)>& op) {
    onnx_tensor out;
    const std::size_t rank = std::max(a.shape.size(), b.shape.size());
    const auto size = [&](const onnx_tensor& t, std::size_t d) {
      const std::size_t missing = rank - t.shape.size();
      return d < missing ? std::int64_t{1} : t.shape[d - missing];
    };
    for (std::size_t d = 0; d < rank; ++d) {
      REQUIRE((size(a, d) == size(b, d) || size(a, d) == 1 || size(b, d) == 1));
      out.shape.push_back(std::max(size(a, d), size(b, d)));
    }
    const auto offset = [&](const onnx_tensor& t, std::int64_t index) {
      std::int64_t at = 0;
      std::int64_t stride = 1;
      for (std::size_t d = rank; d-- > 0; index /= out.shape[d]) {
        at += (size(t, d) == 1 ? 0 : index % out.shape[d]) * stride;
        stride *= size(t, d);
      }
      return static_cast<std::size_t>(at);
    };
    for (std::int64_t i = 0; i < product(out.shape); ++i)
      out.values.push_back(op(a.values[offset(a, i)], b.values[offset(b, i)]));
    return out;
  }

  static onnx_tensor each(onnx_tensor t, const std::function<double(double)>& op) {
    for (double& v : t.values)
      v = op(v);
    return t;
  }

  /// For convolutions and pools: window(m) folds what lies under the window of output channel m.
  template <class Window>
  static onnx_tensor slide(const onnx_tensor& x, std::int64_t channels, const protobuf_message& node,
                           const Window& window) {
    const auto size = integers(node, "kernel_shape", {});
    const auto step = integers(node, "strides", {1, 1});
    const auto pads = integers(node, "pads", {0, 0, 0, 0});
    REQUIRE(x.shape.size() == 4);
    const auto out_size = [&](std::size_t d) {
      return (x.shape[2 + d] + pads[d] + pads[2 + d] - size[d]) / step[d] + 1;
    };
    onnx_tensor out{{x.shape[0], channels, out_size(0), out_size(1)}, {}};
    for (std::int64_t n = 0; n < out.shape[0]; ++n)
      for (std::int64_t m = 0; m < channels; ++m)
        for (std::int64_t i = 0; i < out.shape[2]; ++i)
          for (std::int64_t j = 0; j < out.shape[3]; ++j) {
            auto fold = window(m);
            for (std::int64_t c = fold.first; c < fold.last; ++c)
              for (std::int64_t k = 0; k < size[0] * size[1]; ++k) {
                const std::int64_t y = i * step[0] - pads[0] + k / size[1];
                const std::int64_t z = j * step[1] - pads[1] + k % size[1];
                if (y >= 0 && y < x.shape[2] && z >= 0 && z < x.shape[3])
                  fold.add(x.values[static_cast<std::size_t>(
                               ((n * x.shape[1] + c) * x.shape[2] + y) * x.shape[3] + z)],
                           (c - fold.first) * size[0] * size[1] + k);
              }
            out.values.push_back(fold.result());
          }
    return out;
  }

  struct pooling {
    std::int64_t first;
    std::int64_t last;
    bool maximum;
    double sum = 0.0;
    double largest = -INFINITY;
    int count = 0;
    void add(double v, std::int64_t) {
      sum += v;
      largest = std::max(largest, v);
      ++count;
    }
    [[nodiscard]] double result() const { return maximum ? largest : sum / count; }
  };

  struct convolution {
    std::int64_t first;
    std::int64_t last;
    const double* weights;
    double sum;
    void add(double v, std::int64_t k) { sum += v * weights[k]; }
    [[nodiscard]] double result() const { return sum; }
  };

  static onnx_tensor convolve(const std::vector<onnx_tensor>& in, const protobuf_message& node) {
    const auto& w = in[1];
    const auto groups = integers(node, "group", {1}).front();
    const auto per_group = w.shape[0] / groups;
    return slide(in[0], w.shape[0], node, [&](std::int64_t m) {
      const auto first = m / per_group * w.shape[1];
      return convolution{first, first + w.shape[1], w.values.data() + m * product(w.shape, 1),
                         in.size() > 2 ? in[2].values[static_cast<std::size_t>(m)] : 0.0};
    });
  }

  static onnx_tensor multiply(const std::vector<onnx_tensor>& in, const protobuf_message& node) {
    REQUIRE(integers(node, "transB", {0}) == shape_list{1});
    REQUIRE(in[0].shape[1] == in[1].shape[1]);
    onnx_tensor out{{in[0].shape[0], in[1].shape[0]}, {}};
    const std::int64_t k = in[0].shape[1];
    for (std::int64_t i = 0; i < out.shape[0]; ++i)
      for (std::int64_t j = 0; j < out.shape[1]; ++j)
        out.values.push_back(std::inner_product(
            in[0].values.begin() + i * k, in[0].values.begin() + (i + 1) * k, in[1].values.begin() + j * k,
            in.size() > 2 ? in[2].values[static_cast<std::size_t>(j)] : 0.0));
    return out;
  }

  /// Of N x C x …: to mean 0 and deviation 1 over everything behind C of each sample, or with given
  /// statistics.
  static onnx_tensor normalise(const std::vector<onnx_tensor>& in, const protobuf_message& node, bool given) {
    onnx_tensor out = in[0];
    const auto channels = in[0].shape[1];
    const auto plane = product(in[0].shape, 2);
    const double epsilon = real(node, "epsilon");
    for (std::int64_t i = 0; i < in[0].shape[0] * channels; ++i) {
      const auto c = static_cast<std::size_t>(i % channels);
      const auto begin = out.values.begin() + i * plane;
      double mean = given ? in[3].values[c] : std::accumulate(begin, begin + plane, 0.0) / double(plane);
      double variance = given ? in[4].values[c] : 0.0;
      for (auto v = begin; !given && v != begin + plane; ++v)
        variance += (*v - mean) * (*v - mean) / double(plane);
      for (auto v = begin; v != begin + plane; ++v)
        *v = (*v - mean) / std::sqrt(variance + epsilon) * in[1].values[c] + in[2].values[c];
    }
    return out;
  }

  static onnx_tensor over_rows(const onnx_tensor& x, bool softmax) {
    REQUIRE(x.shape.size() == 2);
    onnx_tensor out{softmax ? x.shape : shape_list{x.shape[0], 1}, {}};
    for (std::int64_t i = 0; i < x.shape[0]; ++i) {
      const auto begin = x.values.begin() + i * x.shape[1];
      const auto end = begin + x.shape[1];
      double sum = 0.0;
      std::for_each(begin, end, [&](double v) { sum += softmax ? std::exp(v) : v; });
      if (softmax)
        std::for_each(begin, end, [&](double v) { out.values.push_back(std::exp(v) / sum); });
      else
        out.values.push_back(sum / static_cast<double>(x.shape[1]));
    }
    return out;
  }

  static onnx_tensor compute(const std::string& op, const std::vector<onnx_tensor>& in,
                             const protobuf_message& node) {
    onnx_tensor x = in[0];
    if (op == "Identity" || op == "Cast")
      return x;
    if (op == "Add")
      return broadcast(x, in[1], std::plus<>());
    if (op == "Sub")
      return broadcast(x, in[1], std::minus<>());
    if (op == "Mul")
      return broadcast(x, in[1], std::multiplies<>());
    if (op == "Div")
      return broadcast(x, in[1], std::divides<>());
    if (op == "Relu")
      return each(x, [](double v) { return std::max(v, 0.0); });
    if (op == "LeakyRelu")
      return each(x, [slope = real(node, "alpha")](double v) { return v < 0.0 ? slope * v : v; });
    if (op == "Tanh")
      return each(x, [](double v) { return std::tanh(v); });
    if (op == "Sigmoid")
      return each(x, [](double v) { return 1.0 / (1.0 + std::exp(-v)); });
    if (op == "Erf")
      return each(x, [](double v) { return std::erf(v); });
    if (op == "Sqrt")
      return each(x, [](double v) { return std::sqrt(v); });
    if (op == "Gemm")
      return multiply(in, node);
    if (op == "Conv")
      return convolve(in, node);
    if (op == "MaxPool" || op == "AveragePool")
      return slide(x, x.shape[1], node, [&](std::int64_t m) { return pooling{m, m + 1, op == "MaxPool"}; });
    if (op == "BatchNormalization" || op == "InstanceNormalization")
      return normalise(in, node, op == "BatchNormalization");
    if (op == "ReduceMean")
      REQUIRE(integers(node, "axes", {}) == shape_list{1});
    if (op == "Softmax" || op == "ReduceMean")
      return over_rows(x, op == "Softmax");
    if (op == "GlobalAveragePool") {
      onnx_tensor out{{x.shape[0], x.shape[1], 1, 1}, {}};
      const auto plane = product(x.shape, 2);
      for (auto v = x.values.begin(); v != x.values.end(); v += plane)
        out.values.push_back(std::accumulate(v, v + plane, 0.0) / static_cast<double>(plane));
      return out;
    }
    if (op == "Flatten") {
      const auto axis = static_cast<std::size_t>(integers(node, "axis", {1}).front());
      x.shape = {product(x.shape) / product(x.shape, axis), product(x.shape, axis)};
      return x;
    }
    REQUIRE_MESSAGE(op == "Reshape", "no operator ", op);
    shape_list wanted;
    for (std::size_t i = 0; i < in[1].values.size(); ++i)
      wanted.push_back(in[1].values[i] == 0.0 ? x.shape[i] : static_cast<std::int64_t>(in[1].values[i]));
    REQUIRE(product(wanted) == product(x.shape));
    x.shape = wanted;
    return x;
  }

  protobuf_message model_;
  std::string_view graph_;
  std::map<std::string, onnx_tensor> initializers_;
};

} // namespace triage::test
