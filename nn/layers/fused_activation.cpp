#include "nn/layers/fused_activation.hpp"

#include <algorithm>
#include <array>

namespace triage {

namespace {

struct fused {
  std::string_view name;
  dnnl::algorithm forward;
  dnnl::algorithm backward; ///< computes the derivative from the output; rectifiers need none
  float alpha;
};

constexpr std::array table = {
    fused{"relu", dnnl::algorithm::eltwise_relu, dnnl::algorithm::undef, 0.0F},
    fused{"leaky_relu", dnnl::algorithm::eltwise_relu, dnnl::algorithm::undef, 0.01F},
    fused{"tanh", dnnl::algorithm::eltwise_tanh, dnnl::algorithm::eltwise_tanh_use_dst_for_bwd, 0.0F},
    fused{"sigmoid", dnnl::algorithm::eltwise_logistic, dnnl::algorithm::eltwise_logistic_use_dst_for_bwd,
          0.0F},
};

const fused* find(const std::string& name) {
  const auto at = std::find_if(table.begin(), table.end(), [&](const auto& f) { return f.name == name; });
  return at == table.end() ? nullptr : &*at;
}

} // namespace

std::vector<std::string_view> fused_activation_names() {
  std::vector<std::string_view> names = {"none"};
  for (const auto& f : table)
    names.push_back(f.name);
  return names;
}

dnnl::primitive_attr fused_attributes(const std::string& activation) {
  auto attributes = kernel_attributes();
  if (const auto* f = find(activation)) {
    dnnl::post_ops after;
    after.append_eltwise(1.0F, f->forward, f->alpha, 0.0F);
    attributes.set_post_ops(after);
  }
  return attributes;
}

std::optional<float> rectifier_slope(const std::string& activation) {
  const auto* f = find(activation);
  if (f == nullptr || f->forward != dnnl::algorithm::eltwise_relu)
    return std::nullopt;
  return f->alpha;
}

kernel make_fused_backward(kernel_engine& engine, const std::string& activation,
                           const tensor_layout& layout) {
  const auto* f = find(activation);
  if (f == nullptr || rectifier_slope(activation))
    return {};
  const auto& d = layout.descriptor();
  const dnnl::eltwise_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, f->forward, d, f->alpha, 0.0F}, kernel_attributes(),
      engine.engine());
  const dnnl::eltwise_backward::primitive_desc backward({f->backward, d, d, f->alpha, 0.0F},
                                                        kernel_attributes(), engine.engine(), forward);
  kernel k(engine, backward, dnnl::eltwise_backward(backward));
  k.add(DNNL_ARG_DST, d);
  k.add(DNNL_ARG_DIFF_DST, d);
  k.add(DNNL_ARG_DIFF_SRC, d);
  return k;
}

initialiser initialiser_for(const std::string& activation) {
  return activation == "relu" || activation == "leaky_relu" ? initialiser::he_normal
                                                            : initialiser::glorot_uniform;
}

} // namespace triage
