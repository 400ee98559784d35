#include "nn/layers/weighted_stage.hpp"

#include "core/short_floats.hpp"
#include "nn/kernels/rectifier.hpp"
#include "nn/layers/fused_activation.hpp"

namespace triage {

namespace {

/// Whether they hold the same numbers in the same order, once as floats and once as bfloat16. A plain loop
/// then takes half the time of oneDNN's general reorder.
bool differ_in_rounding(dnnl::memory::desc from, const dnnl::memory::desc& to) {
  if (from.data.data_type != dnnl_f32 || to.data.data_type != dnnl_bf16)
    return false;
  from.data.data_type = dnnl_bf16;
  return from == to;
}

} // namespace

void weighted_stage::set_activation(const stage_request& r, const std::string& own) {
  const std::string applied = activation_for(r, own);
  next_relu_ = applied != own;
  if (!r.training)
    return;
  rectifier_ = rectifier_slope(applied);
  activation_ = make_fused_backward(r.engine, applied, output_layout());
}

weighted_stage::converted weighted_stage::make_conversion(kernel_engine& engine, const conversion& c) {
  converted made;
  if (c.from == c.to)
    return made;
  made.copy = memory_for(c.to);
  if (differ_in_rounding(c.from, c.to)) {
    made.rounded = c.from.get_size() / sizeof(float);
    return made;
  }
  made.reorder = make_reorder(engine, c.from, c.to);
  made.reorder.set(DNNL_ARG_TO, made.copy.data());
  return made;
}

void weighted_stage::converted::run() {
  if (!reorder.empty())
    reorder.run();
  else if (rounded != 0)
    to_short(float_format::bfloat16, {from, rounded},
             {reinterpret_cast<std::uint16_t*>(copy.data()), rounded});
}

void weighted_stage::convert_for_weights_gradient(kernel_engine& engine, const dnnl::memory::desc& source,
                                                  const dnnl::memory::desc& output_gradient) {
  source_ = make_conversion(engine, {input_layout().descriptor(), source});
  output_gradient_ = make_conversion(engine, {output_layout().descriptor(), output_gradient});
}

void weighted_stage::convert_for_all(kernel_engine& engine, const conversion& source,
                                     const conversion& output_gradient) {
  converted_for_all_ = true;
  source_ = make_conversion(engine, source);
  output_gradient_ = make_conversion(engine, output_gradient);
}

void weighted_stage::bind(const stage_buffers& b) {
  stage::bind(b);
  const auto through = [](converted& copied, const float* data) -> const float* {
    if (copied.empty())
      return data;
    copied.from = data;
    if (!copied.reorder.empty())
      copied.reorder.set(DNNL_ARG_FROM, data);
    return copied.copy.data();
  };
  const float* const source = through(source_, b.input);
  const float* const output_gradient = through(output_gradient_, b.output_gradient);
  forward_.set(DNNL_ARG_SRC, converted_for_all_ ? source : b.input);
  forward_.set(DNNL_ARG_DST, b.output);
  if (weights_gradient_.empty())
    return;
  weights_gradient_.set(DNNL_ARG_SRC, source);
  weights_gradient_.set(DNNL_ARG_DIFF_DST, output_gradient);
  if (!activation_.empty()) {
    activation_.set(DNNL_ARG_DST, b.output);
    activation_.set(DNNL_ARG_DIFF_DST, b.output_gradient);
    activation_.set(DNNL_ARG_DIFF_SRC, b.output_gradient);
  }
  if (!input_gradient_.empty()) {
    input_gradient_.set(DNNL_ARG_DIFF_SRC, b.input_gradient);
    input_gradient_.set(DNNL_ARG_DIFF_DST, converted_for_all_ ? output_gradient : b.output_gradient);
  }
}

void weighted_stage::forward(const pass& p) {
  loaded_weights_ = forward_weights_.load(p.parameters.data() + place_.weight);
  forward_.set(DNNL_ARG_WEIGHTS, loaded_weights_);
  if (converted_for_all_)
    source_.run();
  if (place_.bias)
    forward_.set(DNNL_ARG_BIAS, p.parameters.data() + *place_.bias);
  forward_.run();
}

void weighted_stage::find_weights_gradient(const pass& p) {
  float* const gradient = p.gradient.data() + place_.weight;
  weights_gradient_.set(DNNL_ARG_DIFF_WEIGHTS, gradient_weights_.target(gradient));
  if (place_.bias)
    weights_gradient_.set(DNNL_ARG_DIFF_BIAS, p.gradient.data() + *place_.bias);
  if (!converted_for_all_) {
    source_.run();
    output_gradient_.run();
  }
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
  if (converted_for_all_)
    output_gradient_.run();
  if (!p.gradient.empty())
    find_weights_gradient(p);
  if (input_gradient_.empty())
    return;
  input_gradient_.set(DNNL_ARG_WEIGHTS, backward_weights_
                                            ? backward_weights_->load(p.parameters.data() + place_.weight)
                                            : loaded_weights_);
  input_gradient_.run();
}

} // namespace triage
