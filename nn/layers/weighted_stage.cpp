#include "nn/layers/weighted_stage.hpp"

#include "nn/kernels/rectifier.hpp"
#include "nn/layers/fused_activation.hpp"

namespace triage {

void weighted_stage::set_activation(const stage_request& r, const std::string& own) {
  const std::string applied = activation_for(r, own);
  next_relu_ = applied != own;
  if (!r.training)
    return;
  rectifier_ = rectifier_slope(applied);
  activation_ = make_fused_backward(r.engine, applied, output_layout());
}

void weighted_stage::bind(const stage_buffers& b) {
  stage::bind(b);
  forward_.set(DNNL_ARG_SRC, b.input);
  forward_.set(DNNL_ARG_DST, b.output);
  if (weights_gradient_.empty())
    return;
  weights_gradient_.set(DNNL_ARG_SRC, b.input);
  weights_gradient_.set(DNNL_ARG_DIFF_DST, b.output_gradient);
  if (!activation_.empty()) {
    activation_.set(DNNL_ARG_DST, b.output);
    activation_.set(DNNL_ARG_DIFF_DST, b.output_gradient);
    activation_.set(DNNL_ARG_DIFF_SRC, b.output_gradient);
  }
  if (!input_gradient_.empty()) {
    input_gradient_.set(DNNL_ARG_DIFF_SRC, b.input_gradient);
    input_gradient_.set(DNNL_ARG_DIFF_DST, b.output_gradient);
  }
}

void weighted_stage::forward(const pass& p) {
  forward_.set(DNNL_ARG_WEIGHTS, forward_weights_.load(p.parameters.data() + place_.weight));
  if (place_.bias)
    forward_.set(DNNL_ARG_BIAS, p.parameters.data() + *place_.bias);
  forward_.run();
}

void weighted_stage::backward(const pass& p) {
  if (rectifier_)
    rectifier_gradient(buffers().output, *rectifier_, buffers().output_gradient, buffers().output_gradient,
                       output_layout().floats());
  else if (!activation_.empty())
    activation_.run();
  float* const gradient = p.gradient.data() + place_.weight;
  weights_gradient_.set(DNNL_ARG_DIFF_WEIGHTS, gradient_weights_.target(gradient));
  if (place_.bias)
    weights_gradient_.set(DNNL_ARG_DIFF_BIAS, p.gradient.data() + *place_.bias);
  weights_gradient_.run();
  gradient_weights_.store(gradient);
  if (input_gradient_.empty())
    return;
  input_gradient_.set(DNNL_ARG_WEIGHTS, backward_weights_.load(p.parameters.data() + place_.weight));
  input_gradient_.run();
}

} // namespace triage
