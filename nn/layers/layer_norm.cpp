#include "nn/kernels/channels.hpp"
#include "nn/layers/layers.hpp"
#include "nn/onnx/onnx_graph.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

struct norm_tensors {
  const parameter& weight;
  const parameter& bias;
  double epsilon;
};

/// One row per sample. Statistics in double, like the other normalisations.
class layer_norm_stage : public stage {
public:
  layer_norm_stage(const tensor_layout& layout, const stage_request& r, std::size_t size,
                   const norm_tensors& tensors)
      : stage(layout, layout), rows_{static_cast<std::size_t>(r.batch), 1, size, 1}, tensors_(tensors),
        input_gradient_(r.input_gradient) {
    for (auto* v : {&mean_, &inverse_deviation_, &sums_, &products_})
      v->resize(rows_.batch);
    if (r.sample_gradients)
      spare_.resize(2 * rows_.plane);
  }

  void forward(const pass& p) override {
    // Each sample is one "channel" of size() pixels.
    sum_channels(rows_, buffers().input, buffers().input, nullptr, sums_.data(), products_.data());
    const auto n = static_cast<double>(rows_.plane);
    const float* const weight = p.parameters.data() + tensors_.weight.offset;
    const float* const bias = p.parameters.data() + tensors_.bias.offset;
    for (std::size_t i = 0; i < rows_.batch; ++i) {
      mean_[i] = sums_[i] / n;
      const double variance = std::max(products_[i] / n - mean_[i] * mean_[i], 0.0);
      inverse_deviation_[i] = 1.0 / std::sqrt(variance + tensors_.epsilon);
      const auto center = static_cast<float>(mean_[i]);
      const auto r = static_cast<float>(inverse_deviation_[i]);
      const float* const x = buffers().input + i * rows_.plane;
      float* const y = buffers().output + i * rows_.plane;
      for (std::size_t j = 0; j < rows_.plane; ++j)
        y[j] = (x[j] - center) * r * weight[j] + bias[j];
    }
  }

  void backward(const pass& p) override {
    const float* const weight = p.parameters.data() + tensors_.weight.offset;
    if (p.samples != nullptr)
      add_sample_gradients(*p.samples);
    float* const weight_gradient =
        p.gradient.empty() ? spare_.data() : p.gradient.data() + tensors_.weight.offset;
    float* const bias_gradient =
        p.gradient.empty() ? spare_.data() + rows_.plane : p.gradient.data() + tensors_.bias.offset;
    std::fill_n(weight_gradient, rows_.plane, 0.0F);
    std::fill_n(bias_gradient, rows_.plane, 0.0F);
    // dy becomes w dy on the way: this stage may overwrite it.
    for (std::size_t i = 0; i < rows_.batch; ++i) {
      const auto center = static_cast<float>(mean_[i]);
      const auto r = static_cast<float>(inverse_deviation_[i]);
      const float* const x = buffers().input + i * rows_.plane;
      float* const dy = buffers().output_gradient + i * rows_.plane;
      for (std::size_t j = 0; j < rows_.plane; ++j) {
        weight_gradient[j] += dy[j] * ((x[j] - center) * r);
        bias_gradient[j] += dy[j];
        dy[j] *= weight[j];
      }
    }
    if (input_gradient_)
      find_input_gradient();
  }

  [[nodiscard]] bool backward_reads_output() const override { return false; }

private:
  void add_sample_gradients(sample_gradients& samples) const {
    for (std::size_t i = 0; i < rows_.batch; ++i) {
      const float* const x = buffers().input + i * rows_.plane;
      const float* const dy = buffers().output_gradient + i * rows_.plane;
      double norm = 0.0;
      double projection = 0.0;
      for (std::size_t j = 0; j < rows_.plane; ++j) {
        const auto of_bias = static_cast<double>(dy[j]);
        const double of_weight = of_bias * (static_cast<double>(x[j]) - mean_[i]) * inverse_deviation_[i];
        norm += of_weight * of_weight + of_bias * of_bias;
        if (!samples.projections.empty())
          projection += of_weight * static_cast<double>(samples.direction[tensors_.weight.offset + j]) +
                        of_bias * static_cast<double>(samples.direction[tensors_.bias.offset + j]);
      }
      if (!samples.squared_norms.empty())
        samples.squared_norms[i] += norm;
      if (!samples.projections.empty())
        samples.projections[i] += projection;
    }
  }

  /// dx = r (g - mean(g) - n mean(g n)), with g = w dy, n = r (x - mean) and r = 1 / deviation.
  void find_input_gradient() {
    sum_channels(rows_, buffers().output_gradient, buffers().input, nullptr, sums_.data(), products_.data());
    const auto n = static_cast<double>(rows_.plane);
    for (std::size_t i = 0; i < rows_.batch; ++i) {
      const double r = inverse_deviation_[i];
      const float of_gradient = static_cast<float>(r);
      const auto slope = static_cast<float>(-r * r * r * (products_[i] - mean_[i] * sums_[i]) / n);
      const auto center = static_cast<float>(mean_[i]);
      const auto offset = static_cast<float>(-r * sums_[i] / n);
      const std::size_t begin = i * rows_.plane;
      combine_channels({1, 1, rows_.plane, 1}, &of_gradient, {&slope, &center, &offset}, nullptr,
                       buffers().output_gradient + begin, buffers().input + begin,
                       buffers().input_gradient + begin);
    }
  }

  channel_geometry rows_;
  norm_tensors tensors_;
  bool input_gradient_;
  std::vector<double> mean_, inverse_deviation_, sums_, products_;
  std::vector<float> spare_; ///< where parameter gradients go that nobody wants
};

/// Ba, Kiros & Hinton, "Layer Normalization", 2016: over all values of a sample, with a weight and a bias for
/// each.
class layer_norm : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "layer_norm"; }
  void visit(option_visitor& v) override {
    v.field({.name = "epsilon", .doc = "added to the variance", .min = 1e-12, .max = 1.0}, epsilon_);
  }
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  void declare(parameter_layout& layout, const std::string& prefix, std::int64_t) override {
    std::vector<std::int64_t> shape{input_.channels};
    if (input_.is_image())
      shape = {input_.channels, input_.height, input_.width};
    weight_ =
        layout.add({.name = prefix + "weight", .shape = shape, .init = initialiser::ones, .decayed = false});
    bias_ =
        layout.add({.name = prefix + "bias", .shape = shape, .init = initialiser::zeros, .decayed = false});
  }
  [[nodiscard]] bool has_parameters() const override { return true; }
  [[nodiscard]] bool has_sample_gradients() const override { return true; }
  [[nodiscard]] double flops() const override { return 8.0 * static_cast<double>(input_.size()); }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    const norm_tensors tensors{(*parameters_)[weight_], (*parameters_)[bias_], epsilon_};
    return std::make_unique<layer_norm_stage>(tensor_layout::plain(r.batch, input_), r,
                                              static_cast<std::size_t>(input_.size()), tensors);
  }

  /// In single operators: the one for all of it came with operator set 17.
  [[nodiscard]] result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                        const std::string& prefix) const override {
    const onnx_graph::attribute over_row{"axes", std::vector<std::int64_t>{1}};
    const auto rows = graph.as_rows(input);
    const auto as_row = [&](const std::string& tensor) {
      return graph.add("Flatten", {graph.tensor(prefix + tensor)}, {{"axis", std::int64_t{0}}}); // 1 x values
    };
    const auto centered = graph.apply("Sub", rows, {graph.add("ReduceMean", {rows.name}, {over_row})});
    const auto squares = graph.apply("Mul", centered, {centered.name});
    const auto variance = graph.add("ReduceMean", {squares.name}, {over_row});
    const auto raised = graph.add("Add", {variance, graph.constant({}, {static_cast<float>(epsilon_)})});
    const auto normal = graph.apply("Div", centered, {graph.add("Sqrt", {raised})});
    const auto scaled = graph.apply("Mul", normal, {as_row("weight")});
    const auto out = graph.apply("Add", scaled, {as_row("bias")});
    return input.image ? graph.as_images(out) : out;
  }

private:
  double epsilon_ = 1e-5;
  std::size_t weight_ = 0;
  std::size_t bias_ = 0;
};

} // namespace

std::unique_ptr<layer> make_layer_norm() {
  return std::make_unique<layer_norm>();
}

} // namespace triage
