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

weighted_stage::converted weighted_stage::make_conversion(kernel_engine& engine, const tensor_layout& from,
                                                          const dnnl::memory::desc& to) {
  if (from.descriptor() == to)
    return {};
  converted c{make_reorder(engine, from.descriptor(), to), float_buffer(to.get_size() / sizeof(float))};
  c.reorder.set(DNNL_ARG_TO, c.copy.data());
  return c;
}

void weighted_stage::convert_for_weights_gradient(kernel_engine& engine, const dnnl::memory::desc& source,
                                                  const dnnl::memory::desc& output_gradient) {
  source_ = make_conversion(engine, input_layout(), source);
  output_gradient_ = make_conversion(engine, output_layout(), output_gradient);
}

void weighted_stage::bind(const stage_buffers& b) {
  stage::bind(b);
  forward_.set(DNNL_ARG_SRC, b.input);
  forward_.set(DNNL_ARG_DST, b.output);
  if (weights_gradient_.empty())
    return;
  const auto connect = [&](int argument, converted& through, const float* data) {
    if (!through.reorder.empty()) {
      through.reorder.set(DNNL_ARG_FROM, data);
      data = through.copy.data();
    }
    weights_gradient_.set(argument, data);
  };
  connect(DNNL_ARG_SRC, source_, b.input);
  connect(DNNL_ARG_DIFF_DST, output_gradient_, b.output_gradient);
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

void weighted_stage::find_weights_gradient(const pass& p) {
  float* const gradient = p.gradient.data() + place_.weight;
  weights_gradient_.set(DNNL_ARG_DIFF_WEIGHTS, gradient_weights_.target(gradient));
  if (place_.bias)
    weights_gradient_.set(DNNL_ARG_DIFF_BIAS, p.gradient.data() + *place_.bias);
  for (converted* c : {&source_, &output_gradient_})
    if (!c->reorder.empty())
      c->reorder.run();
  weights_gradient_.run();
  gradient_weights_.store(gradient);
}

void weighted_stage::backward(const pass& p) {
  if (rectifier_)
    rectifier_gradient(buffers().output, *rectifier_, buffers().output_gradient, buffers().output_gradient,
                       output_layout().floats());
  else if (!activation_.empty())
    activation_.run();
  if (p.samples != nullptr)
    add_sample_gradients(*p.samples);
  if (!p.gradient.empty())
    find_weights_gradient(p);
  if (input_gradient_.empty())
    return;
  input_gradient_.set(DNNL_ARG_WEIGHTS, backward_weights_.load(p.parameters.data() + place_.weight));
  input_gradient_.run();
}

} // namespace triage
