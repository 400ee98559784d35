#include "nn/layers/convolution_samples.hpp"

namespace triage {

namespace {

convolution_geometry geometry_of(const convolution_shape& c) {
  return {c.in, c.out, c.groups, c.size, c.step, c.place.top, c.place.left};
}

} // namespace

convolution_samples::plain_copy::plain_copy(const stage_request& r, const tensor_layout& from,
                                            const sample_shape& shape) {
  const auto to = tensor_layout::plain(r.batch, shape);
  if (from == to)
    return;
  reorder = make_reorder(r.engine, from.descriptor(), to.descriptor());
  copy = float_buffer(to.floats());
  reorder.set(DNNL_ARG_TO, copy.data());
}

const float* convolution_samples::plain_copy::of(const float* data) {
  if (reorder.empty())
    return data;
  reorder.set(DNNL_ARG_FROM, data);
  reorder.run();
  return copy.data();
}

convolution_samples::convolution_samples(const stage_request& r, const convolution_shape& shape,
                                         const tensor_layout& input, const tensor_layout& output)
    : convolution_(geometry_of(shape), shape.bias.has_value(), cheaper_norm_form(geometry_of(shape))),
      input_(r, input, shape.in), gradient_(r, output, shape.out), batch_(static_cast<std::size_t>(r.batch)),
      in_size_(static_cast<std::size_t>(shape.in.size())),
      out_size_(static_cast<std::size_t>(shape.out.size())), weight_(shape.weight), bias_(shape.bias) {}

void convolution_samples::add(const stage_buffers& b, sample_gradients& samples) {
  const float* const input = input_.of(b.input);
  const float* const gradient = gradient_.of(b.output_gradient);
  const float* const direction = samples.direction.data();
  for (std::size_t i = 0; i < batch_; ++i) {
    const float* const x = input + i * in_size_;
    const float* const d = gradient + i * out_size_;
    if (!samples.squared_norms.empty())
      samples.squared_norms[i] += convolution_.squared_norm(x, d);
    if (!samples.projections.empty())
      samples.projections[i] +=
          convolution_.projection(x, d, direction + weight_, bias_ ? direction + *bias_ : nullptr);
  }
}

} // namespace triage
