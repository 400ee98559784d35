#include "nn/quantised/weighted_quantised_stage.hpp"

namespace triage {

namespace {

using desc = dnnl::memory::desc;
using type = dnnl::memory::data_type;
using tag = dnnl::memory::format_tag;

dnnl::memory::dims weight_dims(const sample_shape& in, const sample_shape& out, std::int64_t size) {
  return {out.channels, in.channels, size, size};
}

desc image(std::int64_t batch, const sample_shape& shape) {
  return {{batch, shape.channels, shape.height, shape.width}, type::u8, tag::nhwc};
}

class quantised_convolution : public weighted_quantised_stage {
public:
  quantised_convolution(const quantised_request& r, const sample_shape& in, const sample_shape& out,
                        const quantised_window& w, const quantised_weights& weights)
      : weighted_quantised_stage(r, image(r.batch, out), weights,
                                 desc(weight_dims(in, out, w.size), type::f32, tag::oihw)) {
    // The kernels want output scales when they are compiled, but ours change with every snapshot: the
    // multiplier is a multiplication after the sum.
    const desc multiplier({1, out.channels, 1, 1}, type::f32, tag::nchw);
    dnnl::post_ops after;
    after.append_binary(dnnl::algorithm::binary_mul, multiplier);
    after.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
    auto attributes = kernel_attributes();
    attributes.set_post_ops(after);
    const desc wanted(weight_dims(in, out, w.size), type::s8, tag::any);
    const desc bias({out.channels}, type::f32, tag::a);
    const dnnl::convolution_forward::primitive_desc forward({dnnl::prop_kind::forward_inference,
                                                             dnnl::algorithm::convolution_direct,
                                                             r.incoming,
                                                             wanted,
                                                             bias,
                                                             output(),
                                                             {w.step, w.step},
                                                             {w.place.top, w.place.left},
                                                             {w.place.bottom, w.place.right}},
                                                            attributes, r.engine.engine());
    kernel compute(r.engine, forward, dnnl::convolution_forward(forward));
    compute.add(DNNL_ARG_SRC, r.incoming);
    compute.add(DNNL_ARG_DST, output());
    set_kernel(std::move(compute), desc(weight_dims(in, out, w.size), type::s8, tag::oihw),
               forward.weights_desc(), multiplier, DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1);
  }

  void bind(const std::uint8_t* in, std::byte* out) override {
    compute_.set_bytes(DNNL_ARG_SRC, const_cast<std::uint8_t*>(in)); // oneDNN's interface knows no const
    compute_.set_bytes(DNNL_ARG_DST, out);
  }
};

} // namespace

std::unique_ptr<quantised_stage> make_quantised_convolution(const quantised_request& request,
                                                            const sample_shape& input,
                                                            const sample_shape& output,
                                                            const quantised_window& window,
                                                            const quantised_weights& weights) {
  if (auto fast = make_quantised_winograd(request, input, output, window, weights))
    return fast;
  return std::make_unique<quantised_convolution>(request, input, output, window, weights);
}

} // namespace triage
