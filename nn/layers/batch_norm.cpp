#include "nn/layers/channel_norm.hpp"
#include "nn/layers/layers.hpp"
#include "nn/onnx/onnx_graph.hpp"

#include <algorithm>

namespace triage {

namespace {

/// A set is one channel over the whole batch.
class batch_norm_stage : public channel_norm_stage {
public:
  batch_norm_stage(const channel_norm_layer& owner, const stage_request& r, const parameter& running_mean,
                   const parameter& running_variance)
      : channel_norm_stage(owner, r), running_mean_(running_mean), running_variance_(running_variance) {}

protected:
  void average(std::span<double> per_channel) const override {
    const std::size_t stride = geometry().channels();
    const double share = 1.0 / static_cast<double>(observations());
    for (std::size_t c = 0; c < stride; ++c) {
      double sum = 0.0;
      for (std::size_t k = c; k < per_channel.size(); k += stride)
        sum += per_channel[k];
      for (std::size_t k = c; k < per_channel.size(); k += stride)
        per_channel[k] = sum * share;
    }
  }

  void find_statistics(const pass& p) override {
    if (p.training)
      return channel_norm_stage::find_statistics(p);
    const std::size_t stride = geometry().channels();
    for (std::size_t k = 0; k < mean().size(); ++k)
      if (const std::size_t c = k % stride; c < channels()) {
        mean()[k] = static_cast<double>(p.parameters[running_mean_.offset + c]);
        variance()[k] = static_cast<double>(p.parameters[running_variance_.offset + c]);
      }
  }

  /// Reports what this batch showed; the owner of the parameters averages it into the running statistics. The
  /// variance is the unbiased one, as in PyTorch.
  void finish_backward(const pass& p) override {
    if (observations() == 1) // which has no variance: averaging what runs with itself changes nothing
      return report_running(p);
    const auto n = static_cast<double>(observations());
    const double unbias = n / (n - 1.0);
    for (std::size_t c = 0; c < channels(); ++c) {
      p.gradient[running_mean_.offset + c] = static_cast<float>(mean()[c]);
      p.gradient[running_variance_.offset + c] = static_cast<float>(variance()[c] * unbias);
    }
  }

private:
  [[nodiscard]] std::size_t observations() const { return geometry().batch * geometry().plane; }
  void report_running(const pass& p) const {
    for (const auto* statistic : {&running_mean_, &running_variance_})
      std::copy_n(p.parameters.begin() + static_cast<std::ptrdiff_t>(statistic->offset), channels(),
                  p.gradient.begin() + static_cast<std::ptrdiff_t>(statistic->offset));
  }

  const parameter& running_mean_;
  const parameter& running_variance_;
};

/// Ioffe & Szegedy, "Batch Normalization", ICML 2015. Training normalises by the batch; inference by running
/// statistics, which are untrained tensors of the flat block.
class batch_norm : public channel_norm_layer {
public:
  [[nodiscard]] std::string_view type() const override { return "batch_norm"; }
  void visit(option_visitor& v) override {
    v.field({.name = "momentum",
             .doc = "weight of a new batch in the running statistics",
             .min = 0.0,
             .max = 1.0},
            momentum_);
    channel_norm_layer::visit(v);
  }
  void declare(parameter_layout& layout, const std::string& prefix, std::int64_t batch_hint) override {
    channel_norm_layer::declare(layout, prefix, batch_hint);
    parameter statistic{.name = prefix + "running_mean",
                        .shape = {input_.channels},
                        .init = initialiser::zeros,
                        .trained = false,
                        .averaging = momentum_,
                        .decayed = false};
    running_mean_ = layout.add(statistic);
    statistic.name = prefix + "running_var";
    statistic.init = initialiser::ones;
    running_variance_ = layout.add(statistic);
  }
  [[nodiscard]] bool needs_several_samples() const override { return input_.height * input_.width == 1; }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    return std::make_unique<batch_norm_stage>(*this, r, tensors()[running_mean_],
                                              tensors()[running_variance_]);
  }

  [[nodiscard]] result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                        const std::string& prefix) const override {
    std::vector<std::string> tensors;
    for (const char* name : {"weight", "bias", "running_mean", "running_var"})
      tensors.push_back(graph.tensor(prefix + name));
    return graph.apply("BatchNormalization", input, std::move(tensors),
                       {{"epsilon", static_cast<float>(epsilon())}});
  }

private:
  double momentum_ = 0.1;
  std::size_t running_mean_ = 0;
  std::size_t running_variance_ = 0;
};

} // namespace

std::unique_ptr<layer> make_batch_norm() {
  return std::make_unique<batch_norm>();
}

} // namespace triage
