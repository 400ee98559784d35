#pragma once

#include "nn/kernels/channels.hpp"
#include "nn/layer.hpp"

#include <span>
#include <vector>

namespace triage {

/// A layer that brings sets of channels to mean 0 and variance 1, then scales and shifts each channel by
/// trained parameters "weight" and "bias". What makes one set (a channel over the batch, a group of channels
/// of a sample) is all that the variants differ in.
class channel_norm_layer : public layer {
public:
  void visit(option_visitor& v) override;
  result<sample_shape> connect(const sample_shape& input) override { return output_ = input_ = input; }
  void declare(parameter_layout& layout, const std::string& prefix, std::int64_t batch_hint) override;
  [[nodiscard]] bool has_parameters() const override { return true; }
  [[nodiscard]] double flops() const override { return 8.0 * static_cast<double>(input_.size()); }

  [[nodiscard]] double epsilon() const { return epsilon_; }
  [[nodiscard]] const parameter& weight() const { return (*parameters_)[weight_]; }
  [[nodiscard]] const parameter& bias() const { return (*parameters_)[bias_]; }
  [[nodiscard]] const parameter_layout& tensors() const { return *parameters_; }

private:
  double epsilon_ = 1e-5;
  std::size_t weight_ = 0;
  std::size_t bias_ = 0;
};

/// Works on every layout that channel_geometry knows, on plain NCHW otherwise.
class channel_norm_stage : public stage {
public:
  channel_norm_stage(const channel_norm_layer& owner, const stage_request& request);
  void forward(const pass& p) override;
  void backward(const pass& p) override;
  [[nodiscard]] bool applies_next_relu() const override { return rectify_; }
  [[nodiscard]] bool backward_reads_output() const override { return false; }

protected:
  /// Replaces each element (per channel and sample) by the mean over its set; elements are sums over a plane.
  virtual void average(std::span<double> per_channel) const = 0;
  /// Fills mean() and variance() for this pass; by default from the input, with `average`.
  virtual void find_statistics(const pass& p);
  /// After the gradients of the parameters were written.
  virtual void finish_backward(const pass&) {}

  [[nodiscard]] const channel_geometry& geometry() const { return geometry_; }
  [[nodiscard]] std::size_t channels() const { return channels_; } ///< without padding
  [[nodiscard]] std::span<double> mean() { return mean_; }
  [[nodiscard]] std::span<double> variance() { return variance_; }

private:
  channel_norm_stage(const channel_norm_layer& owner, const stage_request& request,
                     const tensor_layout& layout);
  void add_sample_gradients(sample_gradients& samples) const;

  const channel_norm_layer& owner_;
  channel_geometry geometry_;
  std::size_t channels_;
  bool input_gradient_;
  bool rectify_; ///< apply the relu that follows
  // Per channel and sample.
  std::vector<double> mean_, variance_, inverse_deviation_, first_, second_;
  std::vector<float> of_gradient_, slope_, center_, offset_;
  std::vector<float> input_slope_, input_offset_; ///< of the input, in its gradient
};

} // namespace triage
