#include "apps/bench/roofline.hpp"

#include "nn/layers/window.hpp"

#include <utility>

namespace triage {

namespace {

using desc = dnnl::memory::desc;
using dims = dnnl::memory::dims;
constexpr auto any = dnnl::memory::format_tag::any;
constexpr auto f32 = dnnl::memory::data_type::f32;

/// Collects the kernels of a network with buffers of their own.
class collector {
public:
  collector(kernel_engine& engine, std::vector<kernel>& kernels, std::vector<float_buffer>& buffers,
            std::int64_t batch)
      : engine_(engine), kernels_(kernels), buffers_(buffers), batch_(batch) {}

  void add(const layer& l) {
    if (l.type() == "dense")
      dense(l);
    else if (l.type() == "conv2d")
      convolution(l);
    else if (l.type() == "residual")
      residual(l);
  }

private:
  struct argument {
    int name = 0;
    desc layout;
  };
  template <class Op>
  void keep(const typename Op::primitive_desc& descriptor, std::initializer_list<argument> arguments) {
    kernel k(engine_, descriptor, Op(descriptor));
    for (const auto& a : arguments) {
      buffers_.emplace_back(a.layout.get_size() / sizeof(float));
      k.add(a.name, a.layout, buffers_.back().data());
    }
    kernels_.push_back(std::move(k));
  }

  void dense(const layer& l) {
    const desc source({batch_, l.input_shape().size()}, f32, any);
    const desc weights({l.output_shape().size(), l.input_shape().size()}, f32, any);
    const desc output({batch_, l.output_shape().size()}, f32, any);
    const auto attributes = kernel_attributes();
    const auto& e = engine_.engine();
    const dnnl::inner_product_forward::primitive_desc forward(
        {dnnl::prop_kind::forward_training, source, weights, output}, attributes, e);
    keep<dnnl::inner_product_forward>(forward, {{DNNL_ARG_SRC, forward.src_desc()},
                                                {DNNL_ARG_WEIGHTS, forward.weights_desc()},
                                                {DNNL_ARG_DST, forward.dst_desc()}});
    const dnnl::inner_product_backward_weights::primitive_desc gradient({source, weights, output}, attributes,
                                                                        e, forward);
    keep<dnnl::inner_product_backward_weights>(gradient,
                                               {{DNNL_ARG_SRC, gradient.src_desc()},
                                                {DNNL_ARG_DIFF_WEIGHTS, gradient.diff_weights_desc()},
                                                {DNNL_ARG_DIFF_DST, gradient.diff_dst_desc()}});
    if (!std::exchange(first_, false)) {
      const dnnl::inner_product_backward_data::primitive_desc data({source, weights, output}, attributes, e,
                                                                   forward);
      keep<dnnl::inner_product_backward_data>(data, {{DNNL_ARG_DIFF_SRC, data.diff_src_desc()},
                                                     {DNNL_ARG_WEIGHTS, data.weights_desc()},
                                                     {DNNL_ARG_DIFF_DST, data.diff_dst_desc()}});
    }
  }

  void convolution(const layer& l) {
    const auto described = l.describe();
    const auto integer = [&](const char* key) { return described.find(key)->as_integer(); };
    const window shape{integer("kernel"), integer("stride"), *described.find("padding")};
    const auto place = shape.place(l.input_shape());
    const auto& in = l.input_shape();
    const auto& out = l.output_shape();
    const auto groups = integer("groups");
    const desc source({batch_, in.channels, in.height, in.width}, f32, any);
    const desc output({batch_, out.channels, out.height, out.width}, f32, any);
    const desc weights =
        groups == 1
            ? desc({out.channels, in.channels, shape.size, shape.size}, f32, any)
            : desc({groups, out.channels / groups, in.channels / groups, shape.size, shape.size}, f32, any);
    const dims step = {shape.step(), shape.step()};
    const dims before = {place->top, place->left};
    const dims after = {place->bottom, place->right};
    const auto attributes = kernel_attributes();
    const auto& e = engine_.engine();
    const bool winograd =
        suits_winograd(shape, groups, in, out) && in.channels >= 32 && out.channels >= 32; // faster there
    const auto made = [&](const auto& make) {
      if (winograd) {
        try {
          return make(dnnl::algorithm::convolution_winograd);
        } catch (const dnnl::error&) {
          // none for this processor
        }
      }
      return make(dnnl::algorithm::convolution_direct);
    };
    const auto forward = made([&](dnnl::algorithm by) {
      return dnnl::convolution_forward::primitive_desc(
          {dnnl::prop_kind::forward_training, by, source, weights, output, step, before, after}, attributes,
          e);
    });
    keep<dnnl::convolution_forward>(forward, {{DNNL_ARG_SRC, forward.src_desc()},
                                              {DNNL_ARG_WEIGHTS, forward.weights_desc()},
                                              {DNNL_ARG_DST, forward.dst_desc()}});
    // Both gradients continue in the layouts of the activations that forward has left.
    const auto src = forward.src_desc();
    const auto dst = forward.dst_desc();
    const auto gradient = made([&](dnnl::algorithm by) {
      return dnnl::convolution_backward_weights::primitive_desc({by, src, weights, dst, step, before, after},
                                                                attributes, e, forward);
    });
    keep<dnnl::convolution_backward_weights>(gradient, {{DNNL_ARG_SRC, gradient.src_desc()},
                                                        {DNNL_ARG_DIFF_WEIGHTS, gradient.diff_weights_desc()},
                                                        {DNNL_ARG_DIFF_DST, gradient.diff_dst_desc()}});
    if (!std::exchange(first_, false)) {
      const auto data = made([&](dnnl::algorithm by) {
        return dnnl::convolution_backward_data::primitive_desc({by, src, weights, dst, step, before, after},
                                                               attributes, e, forward);
      });
      keep<dnnl::convolution_backward_data>(data, {{DNNL_ARG_DIFF_SRC, data.diff_src_desc()},
                                                   {DNNL_ARG_WEIGHTS, data.weights_desc()},
                                                   {DNNL_ARG_DIFF_DST, data.diff_dst_desc()}});
    }
  }

  void residual(const layer& l) {
    const auto described = l.describe();
    for (const char* branch : {"layers", "shortcut"}) {
      const auto chain = make_layers(*described.find(branch), {"residual", branch}, l.input_shape(), {});
      for (const auto& inner : *chain)
        add(*inner);
    }
  }

  kernel_engine& engine_;
  std::vector<kernel>& kernels_;
  std::vector<float_buffer>& buffers_;
  std::int64_t batch_;
  bool first_ = true;
};

} // namespace

bare_kernels::bare_kernels(const network& net, std::int64_t batch) {
  collector all(engine_, kernels_, buffers_, batch);
  for (const auto& l : net.layers())
    all.add(*l);
}

void bare_kernels::run() {
  for (auto& k : kernels_)
    k.run();
}

} // namespace triage
