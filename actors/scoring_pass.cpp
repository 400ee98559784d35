#include "actors/scoring_pass.hpp"

#include "actors/batch_trainer.hpp"
#include "nn/kernels/row_norms.hpp"
#include "nn/pass_size.hpp"
#include "nn/quantised/quantise.hpp"

#include <algorithm>

namespace triage {

namespace {

sample_signals first(const sample_signals& s, std::size_t n) {
  const auto cut = [n](std::span<const float> v) { return v.first(std::min(n, v.size())); };
  return {cut(s.loss),          cut(s.residual_norm), cut(s.last_input_norm),
          cut(s.gradient_norm), cut(s.projection),    cut(s.last_projection)};
}

} // namespace

float_scoring_pass::float_scoring_pass(std::shared_ptr<const run_setup> setup)
    : setup_(std::move(setup)), workspace_(setup_->net),
      capacity_(inference_pass_size(*setup_->net, sizeof(float))) {}

sample_signals float_scoring_pass::run(std::span<const float> parameters, std::span<const std::uint32_t> ids,
                                       signal_set wanted) {
  filled_.assign(ids.begin(), ids.end());
  filled_.resize(capacity_, ids.back());
  const auto batch = static_cast<std::int64_t>(capacity_);
  gather_samples(setup_->data.train, setup_->data.standard, filled_, workspace_.input(batch));
  const auto targets = gather_targets(setup_->data.train, filled_, labels_, values_);
  return first(workspace_.measure(parameters, batch, targets, *setup_->loss, wanted), ids.size());
}

sample_signals float_scoring_pass::run_backward(std::span<const float> parameters,
                                                std::span<const std::uint32_t> ids, signal_set wanted,
                                                std::span<const float> direction, std::span<float> gradient) {
  // Not filled up: the mean gradient is that of these points.
  const auto batch = static_cast<std::int64_t>(ids.size());
  gather_samples(setup_->data.train, setup_->data.standard, ids, workspace_.input(batch));
  const auto targets = gather_targets(setup_->data.train, ids, labels_, values_);
  weights_.assign(setup_->class_weights.all_one() ? 0 : ids.size(), 1.0F);
  setup_->class_weights.apply(setup_->data.train.labels, ids, weights_);
  return workspace_.measure_gradients(parameters, batch, targets, *setup_->loss, wanted, direction, gradient,
                                      weights_);
}

byte_scoring_pass::byte_scoring_pass(std::shared_ptr<const run_setup> setup,
                                     std::unique_ptr<quantised_network> net)
    : setup_(std::move(setup)), net_(std::move(net)), loss_(capacity()),
      gradient_(capacity() * static_cast<std::size_t>(setup_->net->output_width())), residual_(capacity()),
      last_input_(capacity()) {}

result<std::unique_ptr<byte_scoring_pass>> byte_scoring_pass::make(std::shared_ptr<const run_setup> setup) {
  auto net =
      quantised_network::compile(setup->net, static_cast<std::int64_t>(inference_pass_size(*setup->net, 1)));
  if (!net.ok())
    return net.error();
  return std::make_unique<byte_scoring_pass>(std::move(setup), net.take());
}

void byte_scoring_pass::calibrate(float_scoring_pass& reference) {
  ranges_ = reference.ranges();
  if (setup_->data.train.is_bytes()) {
    input_scale_ = setup_->data.standard.scale;
    input_shift_ = setup_->data.standard.shift;
    return;
  }
  const auto samples = reference.samples();
  const auto [low, high] = std::minmax_element(samples.begin(), samples.end());
  constexpr float steps = 255.0F;
  input_scale_ = {*high > *low ? (*high - *low) / steps : 1.0F};
  input_shift_ = {*low};
}

void byte_scoring_pass::load(std::span<const float> parameters) {
  net_->load(parameters, {input_scale_, input_shift_}, ranges_);
}

void byte_scoring_pass::fill_input(std::span<const std::uint32_t> ids) {
  const dataset& set = setup_->data.train;
  const auto width = static_cast<std::size_t>(set.shape.size());
  const auto input = net_->input();
  if (set.is_bytes()) {
    const auto rows = set.byte_rows();
    for (std::size_t i = 0; i < ids.size(); ++i)
      std::copy_n(rows[ids[i]], width, input.data() + i * width);
    return;
  }
  samples_.resize(capacity() * width);
  const auto rows = std::span<float>(samples_).first(ids.size() * width);
  gather_samples(set, setup_->data.standard, ids, rows);
  quantise_values(rows, input_scale_[0], input_shift_[0], input.data());
}

sample_signals byte_scoring_pass::run(std::span<const std::uint32_t> ids, signal_set wanted) {
  fill_input(ids); // what lies behind is from an earlier pass: samples do not see each other
  const auto targets = gather_targets(setup_->data.train, ids, labels_, values_);
  const auto width = setup_->net->output_width();
  const auto values = ids.size() * static_cast<std::size_t>(width);
  const auto outputs = net_->infer().first(values);
  const bool residuals = contains(wanted, signal::residual_norm);
  const std::span<float> loss(loss_.data(), ids.size());
  const std::span<float> gradient(gradient_.data(), residuals ? values : 0);
  setup_->loss->evaluate(outputs, width, targets, loss, gradient);
  sample_signals s;
  s.loss = loss;
  if (residuals) {
    const std::span<float> norms(residual_.data(), ids.size());
    row_norms(gradient.data(), static_cast<std::size_t>(width), norms);
    s.residual_norm = norms;
  }
  if (contains(wanted, signal::last_input_norm)) {
    const std::span<float> norms(last_input_.data(), ids.size());
    net_->last_input_norms(norms);
    s.last_input_norm = norms;
  }
  return s;
}

} // namespace triage
