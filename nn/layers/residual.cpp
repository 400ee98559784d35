#include "nn/kernels/rectifier.hpp"
#include "nn/layer_chain.hpp"
#include "nn/layers/layers.hpp"
#include "nn/onnx/onnx_graph.hpp"
#include "nn/stage_chain.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace triage {

namespace {

using chain_of_layers = std::vector<std::unique_ptr<layer>>;

/// Two chains from the same input, added; and the relu that follows, if one does. Works in the layout that
/// comes in and leaves the one that the body ends in.
class residual_stage : public stage {
public:
  residual_stage(const chain_of_layers& body, const chain_of_layers& shortcut, const stage_request& r)
      : residual_stage(r, without_relu(r), std::make_unique<stage_chain>(body, without_relu(r), std::nullopt),
                       shortcut) {}

  void bind(const stage_buffers& b) override {
    stage::bind(b);
    body_->bind(b.input, b.input_gradient);
    shortcut_.bind(b.input,
                   b.input_gradient == nullptr || shortcut_.empty() ? nullptr : shortcut_gradient_.data());
  }

  void forward(const pass& p) override {
    body_->forward(p);
    shortcut_.forward(p);
    add_images(body_->output(), shortcut_.output(), rectify_, buffers().output, output_layout().floats());
  }

  void backward(const pass& p) override {
    const float* const y = buffers().output;
    const float* const dy = buffers().output_gradient;
    float* const dx = buffers().input_gradient;
    const std::size_t size = output_layout().floats();
    for (stage_chain* chain : {body_.get(), &shortcut_}) {
      // Null where a chain has nothing to train and nobody wants its input gradient, or is the input itself.
      if (chain->output_gradient() == nullptr)
        continue;
      if (rectify_)
        rectifier_gradient(y, 0.0F, dy, chain->output_gradient(), size);
      else
        std::copy_n(dy, size, chain->output_gradient());
      chain->backward(p);
    }
    if (dx == nullptr)
      return;
    if (!shortcut_.empty())
      add_images(dx, shortcut_gradient_.data(), false, dx, input_layout().floats());
    else if (rectify_)
      add_rectifier_gradient(y, dy, dx, size);
    else
      add_images(dx, dy, false, dx, size);
  }
  [[nodiscard]] bool applies_next_relu() const override { return rectify_; }
  [[nodiscard]] bool backward_reads_output() const override { return rectify_; }

private:
  residual_stage(const stage_request& r, const stage_request& inner, std::unique_ptr<stage_chain> body,
                 const chain_of_layers& shortcut)
      : stage(r.incoming, body->output_layout()), body_(std::move(body)),
        shortcut_(shortcut, inner, body_->output_layout()), rectify_(r.relu_follows) {
    if (r.training && r.input_gradient && !shortcut_.empty())
      shortcut_gradient_ = float_buffer(r.incoming.floats());
  }
  static stage_request without_relu(const stage_request& r) {
    stage_request inner = r;
    inner.relu_follows = false;
    inner.pool_follows = false;
    return inner;
  }

  std::unique_ptr<stage_chain> body_;
  stage_chain shortcut_;
  float_buffer shortcut_gradient_;
  bool rectify_;
};

/// y = layers(x) + shortcut(x); without a shortcut y = layers(x) + x (He et al., CVPR 2016).
class residual : public layer {
public:
  [[nodiscard]] std::string_view type() const override { return "residual"; }
  void visit(option_visitor& v) override {
    v.field({.name = "layers", .doc = "array of layers of the main branch", .required = true},
            body_description_);
    v.field({.name = "shortcut", .doc = "array of layers of the other branch; empty: the input itself"},
            shortcut_description_);
  }

  result<sample_shape> connect(const sample_shape& input) override {
    auto body = make_layers(body_description_, {"residual", "/layers"}, input, {});
    if (!body.ok())
      return body.error();
    auto shortcut = make_layers(shortcut_description_, {"residual", "/shortcut"}, input, {});
    if (!shortcut.ok())
      return shortcut.error();
    if (body->empty())
      return configuration_error("a residual block needs at least one layer in \"layers\"");
    const sample_shape main = body->back()->output_shape();
    const sample_shape other = shortcut->empty() ? input : shortcut->back()->output_shape();
    if (!(main == other))
      return configuration_error(
          fmt::format("\"layers\" gives {} and the shortcut {}: they are added, so give "
                      "\"shortcut\" layers that end in the same shape",
                      to_string(main), to_string(other)));
    body_ = body.take();
    shortcut_ = shortcut.take();
    input_ = input;
    return output_ = main;
  }

  void declare(parameter_layout& layout, const std::string& prefix, std::int64_t batch_hint) override {
    declare_chain(body_, layout, prefix + "layers.", batch_hint);
    declare_chain(shortcut_, layout, prefix + "shortcut.", batch_hint);
  }
  void locate(const parameter_layout& layout) override {
    layer::locate(layout);
    for (const auto* chain : {&body_, &shortcut_})
      for (const auto& l : *chain)
        l->locate(layout);
  }
  [[nodiscard]] std::unique_ptr<stage> compile(const stage_request& r) const override {
    return std::make_unique<residual_stage>(body_, shortcut_, r);
  }
  [[nodiscard]] bool has_parameters() const override {
    const auto trained = [](const auto& l) { return l->has_parameters(); };
    return std::any_of(body_.begin(), body_.end(), trained) ||
           std::any_of(shortcut_.begin(), shortcut_.end(), trained);
  }
  [[nodiscard]] bool has_sample_gradients() const override {
    const auto has = [](const auto& l) { return l->has_sample_gradients(); };
    return std::all_of(body_.begin(), body_.end(), has) &&
           std::all_of(shortcut_.begin(), shortcut_.end(), has);
  }
  [[nodiscard]] bool needs_several_samples() const override {
    const auto needs = [](const auto& l) { return l->needs_several_samples(); };
    return std::any_of(body_.begin(), body_.end(), needs) ||
           std::any_of(shortcut_.begin(), shortcut_.end(), needs);
  }
  [[nodiscard]] double flops() const override {
    double sum = static_cast<double>(output_.size());
    for (const auto* chain : {&body_, &shortcut_})
      for (const auto& l : *chain)
        sum += l->flops();
    return sum;
  }
  [[nodiscard]] json_value describe() const override {
    return json_value(json_value::object{{"type", json_value(type())},
                                         {"layers", describe_chain(body_)},
                                         {"shortcut", describe_chain(shortcut_)}});
  }

  [[nodiscard]] result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                        const std::string& prefix) const override {
    const auto body = draw_layers(body_, graph, input, prefix + "layers.");
    if (!body.ok())
      return body.error();
    const auto other = draw_layers(shortcut_, graph, input, prefix + "shortcut.");
    if (!other.ok())
      return other.error();
    return body->image == other->image
               ? graph.apply("Add", *body, {other->name})
               : graph.apply("Add", graph.as_rows(*body), {graph.as_rows(*other).name});
  }

private:
  static void declare_chain(const chain_of_layers& chain, parameter_layout& layout, const std::string& prefix,
                            std::int64_t batch_hint) {
    for (std::size_t i = 0; i < chain.size(); ++i)
      chain[i]->declare(layout, layer_prefix(prefix, i, *chain[i]), batch_hint);
  }
  static json_value describe_chain(const chain_of_layers& chain) {
    json_value::array all;
    for (const auto& l : chain)
      all.push_back(l->describe());
    return json_value(std::move(all));
  }

  json_value body_description_{json_value::array{}};
  json_value shortcut_description_{json_value::array{}};
  chain_of_layers body_;
  chain_of_layers shortcut_;
};

} // namespace

std::unique_ptr<layer> make_residual() {
  return std::make_unique<residual>();
}

} // namespace triage
