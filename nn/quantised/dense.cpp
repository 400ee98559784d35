#include "nn/quantised/weighted_quantised_stage.hpp"

namespace triage {

namespace {

using desc = dnnl::memory::desc;
using type = dnnl::memory::data_type;
using tag = dnnl::memory::format_tag;

class quantised_dense : public weighted_quantised_stage {
public:
  quantised_dense(const quantised_request& r, const sample_shape& input, std::int64_t units,
                  const quantised_weights& weights)
      : weighted_quantised_stage(r, desc({r.batch, units}, r.is_last ? type::f32 : type::u8, tag::nc),
                                 weights, desc({units, input.size()}, type::f32, tag::oi)) {
    auto attributes = kernel_attributes();
    attributes.set_output_scales(1 << 1, {DNNL_RUNTIME_F32_VAL});
    if (!r.is_last) {
      dnnl::post_ops relu;
      relu.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
      attributes.set_post_ops(relu);
    }
    const desc source({r.batch, input.size()}, type::u8, tag::nc); // an image is a row: the same memory
    const desc rows({units, input.size()}, type::s8, tag::oi);
    const desc wanted({units, input.size()}, type::s8, tag::any);
    const desc bias({units}, type::f32, tag::a);
    const dnnl::inner_product_forward::primitive_desc forward(
        {dnnl::prop_kind::forward_inference, source, wanted, bias, output()}, attributes, r.engine.engine());
    kernel compute(r.engine, forward, dnnl::inner_product_forward(forward));
    compute.add(DNNL_ARG_SRC, source);
    compute.add(DNNL_ARG_DST, output());
    // Between layers images have their channels last; the weights in the block have them first. As a plain
    // matrix product it is half as fast again as with the image's four dimensions.
    if (auto dims = r.incoming.dims(); dims.size() == 4) {
      dims[0] = units;
      set_rearrangement(desc(dims, type::s8, tag::oihw), desc(dims, type::s8, tag::ohwi));
    }
    set_kernel(std::move(compute), rows, forward.weights_desc(), bias, DNNL_ARG_ATTR_OUTPUT_SCALES);
  }

  void bind(const std::uint8_t* in, std::byte* out) override {
    compute_.set_bytes(DNNL_ARG_SRC, const_cast<std::uint8_t*>(in)); // oneDNN's interface knows no const
    compute_.set_bytes(DNNL_ARG_DST, out);
  }
};

} // namespace

std::unique_ptr<quantised_stage> make_quantised_dense(const quantised_request& request,
                                                      const sample_shape& input, std::int64_t units,
                                                      const quantised_weights& weights) {
  return std::make_unique<quantised_dense>(request, input, units, weights);
}

} // namespace triage
