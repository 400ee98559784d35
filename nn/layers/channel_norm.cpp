#include "nn/layers/channel_norm.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

tensor_layout usable_layout(const channel_norm_layer& owner, const stage_request& r) {
  return channel_geometry::of(r.incoming, owner.input_shape())
             ? r.incoming
             : tensor_layout::plain(r.batch, owner.input_shape());
}

} // namespace

void channel_norm_layer::visit(option_visitor& v) {
  v.field({.name = "epsilon", .doc = "added to the variance", .min = 1e-12, .max = 1.0}, epsilon_);
}

void channel_norm_layer::declare(parameter_layout& layout, const std::string& prefix, std::int64_t) {
  weight_ = layout.add(
      {.name = prefix + "weight", .shape = {input_.channels}, .init = initialiser::ones, .decayed = false});
  bias_ = layout.add(
      {.name = prefix + "bias", .shape = {input_.channels}, .init = initialiser::zeros, .decayed = false});
}

channel_norm_stage::channel_norm_stage(const channel_norm_layer& owner, const stage_request& request)
    : channel_norm_stage(owner, request, usable_layout(owner, request)) {}

channel_norm_stage::channel_norm_stage(const channel_norm_layer& owner, const stage_request& request,
                                       const tensor_layout& layout)
    : stage(layout, layout), owner_(owner), geometry_(*channel_geometry::of(layout, owner.input_shape())),
      channels_(static_cast<std::size_t>(owner.input_shape().channels)),
      input_gradient_(request.input_gradient), rectify_(request.relu_follows) {
  const std::size_t n = geometry_.batch * geometry_.channels();
  for (auto* v : {&mean_, &variance_, &inverse_deviation_, &first_, &second_})
    v->resize(n);
  for (auto* v : {&of_gradient_, &slope_, &center_, &offset_, &input_slope_, &input_offset_})
    v->resize(n);
}

void channel_norm_stage::find_statistics(const pass&) {
  sum_channels(geometry_, buffers().input, buffers().input, nullptr, mean_.data(), variance_.data());
  average(mean_);
  average(variance_);
  for (std::size_t k = 0; k < mean_.size(); ++k)
    variance_[k] = std::max(variance_[k] - mean_[k] * mean_[k], 0.0);
}

void channel_norm_stage::forward(const pass& p) {
  find_statistics(p);
  const float* const weight = p.parameters.data() + owner_.weight().offset;
  const float* const bias = p.parameters.data() + owner_.bias().offset;
  const std::size_t stride = geometry_.channels();
  for (std::size_t k = 0; k < mean_.size(); ++k) {
    const std::size_t c = k % stride;
    if (c >= channels_)
      continue; // padding: all factors stay zero, and so does the output
    inverse_deviation_[k] = 1.0 / std::sqrt(variance_[k] + owner_.epsilon());
    slope_[k] = static_cast<float>(inverse_deviation_[k]) * weight[c];
    center_[k] = static_cast<float>(mean_[k]);
    offset_[k] = bias[c];
  }
  scale_channels(geometry_, {slope_.data(), center_.data(), offset_.data()}, rectify_, buffers().input,
                 buffers().output);
}

/// Valid where sets do not reach over samples: then the sums per channel and sample are a sample's gradient.
void channel_norm_stage::add_sample_gradients(sample_gradients& samples) const {
  const std::size_t stride = geometry_.channels();
  for (std::size_t i = 0; i < geometry_.batch; ++i)
    for (std::size_t c = 0; c < channels_; ++c) {
      const double of_bias = first_[i * stride + c];
      const double of_weight = second_[i * stride + c];
      if (!samples.squared_norms.empty())
        samples.squared_norms[i] += of_weight * of_weight + of_bias * of_bias;
      if (!samples.projections.empty())
        samples.projections[i] +=
            of_weight * static_cast<double>(samples.direction[owner_.weight().offset + c]) +
            of_bias * static_cast<double>(samples.direction[owner_.bias().offset + c]);
    }
}

void channel_norm_stage::backward(const pass& p) {
  const float* const weight = p.parameters.data() + owner_.weight().offset;
  const std::size_t stride = geometry_.channels();
  const channel_affine image{slope_.data(), center_.data(), offset_.data()}; // as forward has left it
  const channel_affine* const relu = rectify_ ? &image : nullptr;
  // first: sum of dy; second: sum of dy * x, then of dy * normalised x.
  sum_channels(geometry_, buffers().output_gradient, buffers().input, relu, first_.data(), second_.data());
  for (std::size_t k = 0; k < second_.size(); ++k)
    second_[k] = (second_[k] - mean_[k] * first_[k]) * inverse_deviation_[k];
  if (p.samples != nullptr)
    add_sample_gradients(*p.samples);
  for (std::size_t c = 0; c < channels_ && !p.gradient.empty(); ++c) {
    double of_weight = 0.0;
    double of_bias = 0.0;
    for (std::size_t k = c; k < first_.size(); k += stride) {
      of_weight += second_[k];
      of_bias += first_[k];
    }
    p.gradient[owner_.weight().offset + c] = static_cast<float>(of_weight);
    p.gradient[owner_.bias().offset + c] = static_cast<float>(of_bias);
  }
  if (!p.gradient.empty())
    finish_backward(p);
  if (!input_gradient_)
    return;
  for (std::size_t k = 0; k < first_.size(); ++k) {
    const double w = k % stride < channels_ ? static_cast<double>(weight[k % stride]) : 0.0;
    first_[k] *= w;
    second_[k] *= w;
  }
  average(first_);
  average(second_);
  // dx = r (w dy - mean(w dy) - n mean(w dy n)), with n = r (x - mean) and r = 1 / deviation.
  for (std::size_t k = 0; k < first_.size(); ++k) {
    if (k % stride >= channels_)
      continue;
    const double r = inverse_deviation_[k];
    of_gradient_[k] = static_cast<float>(r) * weight[k % stride];
    input_slope_[k] = static_cast<float>(-r * r * second_[k]);
    input_offset_[k] = static_cast<float>(-r * first_[k]);
  }
  combine_channels(geometry_, of_gradient_.data(),
                   {input_slope_.data(), center_.data(), input_offset_.data()}, relu,
                   buffers().output_gradient, buffers().input, buffers().input_gradient);
}

} // namespace triage
