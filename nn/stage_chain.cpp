#include "nn/layer.hpp"

#include <algorithm>
#include <array>

namespace triage {

namespace {

/// Converts between the layout that one layer produces and the one that the next wants.
class reorder_stage : public stage {
public:
  reorder_stage(const stage_request& request, const tensor_layout& to)
      : stage(request.incoming, to),
        forward_(make_reorder(request.engine, request.incoming.descriptor(), to.descriptor())) {
    if (request.training && request.input_gradient)
      backward_ = make_reorder(request.engine, to.descriptor(), request.incoming.descriptor());
  }
  void bind(const stage_buffers& b) override {
    forward_.set(DNNL_ARG_FROM, b.input);
    forward_.set(DNNL_ARG_TO, b.output);
    if (!backward_.empty()) {
      backward_.set(DNNL_ARG_FROM, b.output_gradient);
      backward_.set(DNNL_ARG_TO, b.input_gradient);
    }
  }
  void forward(const pass&) override { forward_.run(); }
  void backward(const pass&) override {
    if (!backward_.empty())
      backward_.run();
  }
  [[nodiscard]] bool backward_reads_input() const override { return false; }
  [[nodiscard]] bool backward_reads_output() const override { return false; }

private:
  kernel forward_;
  kernel backward_;
};

/// In place of a relu that the stage before applies already.
class done_stage : public stage {
public:
  explicit done_stage(const tensor_layout& layout) : stage(layout, layout) {}
  [[nodiscard]] bool is_view() const override { return true; }
  void forward(const pass&) override {}
  void backward(const pass&) override {}
};

} // namespace

stage_chain::stage_chain(const std::vector<std::unique_ptr<layer>>& layers, const stage_request& request,
                         const std::optional<tensor_layout>& outgoing)
    : engine_(request.engine), training_(request.training), input_layout_(request.incoming),
      output_layout_(request.incoming) {
  bool gradient = request.input_gradient;
  stage* before = nullptr; // what wrote the memory that the next stage reads
  const auto convert = [&](const tensor_layout& to) {
    const stage_request r{engine_,  request.batch, output_layout_,          training_,
                          gradient, false,         request.sample_gradients};
    links_.push_back({std::make_unique<reorder_stage>(r, to), gradient, "reorder"});
    output_layout_ = to;
    before = links_.back().stage.get();
  };
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& l = layers[i];
    if (l->is_relu() && before != nullptr && before->applies_next_relu()) {
      link_of_layer_.push_back(links_.size());
      links_.push_back({std::make_unique<done_stage>(output_layout_), gradient, std::string(l->type())});
      continue;
    }
    const bool relu_follows = i + 1 < layers.size() && layers[i + 1]->is_relu();
    const stage_request r{engine_,  request.batch, output_layout_,          training_,
                          gradient, relu_follows,  request.sample_gradients};
    auto compiled = l->compile(r);
    if (!(compiled->input_layout() == output_layout_))
      convert(compiled->input_layout());
    else if (before != nullptr && before->ends_in_relu() && gradient && compiled->take_over_relu_derivative())
      before->omit_relu_derivative();
    output_layout_ = compiled->output_layout();
    link_of_layer_.push_back(links_.size());
    if (!compiled->is_view())
      before = compiled.get();
    if (l->has_parameters())
      last_trained_ = links_.size();
    links_.push_back({std::move(compiled), gradient, std::string(l->type()),
                      l->has_parameters() ? std::optional(i) : std::nullopt});
    gradient = gradient || l->has_parameters();
  }
  if (outgoing && !(output_layout_ == *outgoing))
    convert(*outgoing);
}

bool stage_chain::gradient_replaces_output(std::size_t index) const {
  const auto next = std::find_if(links_.begin() + static_cast<std::ptrdiff_t>(index) + 1, links_.end(),
                                 [](const auto& l) { return !l.stage->is_view(); });
  return next != links_.end() && !links_[index].stage->backward_reads_output() &&
         !next->stage->backward_reads_input();
}

void stage_chain::bind(const float* input, float* input_gradient) {
  // Outputs live until the backward pass; gradients only from one stage to the one before, so two buffers do.
  std::array<std::size_t, 2> widest{};
  std::size_t turn = 0;
  for (std::size_t i = 0; i < links_.size(); ++i)
    if (training_ && !links_[i].stage->is_view() && !gradient_replaces_output(i)) {
      std::size_t& size = widest.at(turn++ % 2);
      size = std::max(size, links_[i].stage->output_layout().floats());
    }
  std::array<float*, 2> gradients{};
  for (std::size_t i = 0; i < 2; ++i)
    if (widest.at(i) > 0) {
      buffers_.emplace_back(widest.at(i));
      gradients.at(i) = buffers_.back().data();
    }
  const float* at = input;
  float* gradient_at = input_gradient;
  turn = 0;
  std::vector<const float*> link_inputs;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    auto& l = links_[i];
    link_inputs.push_back(at);
    stage_buffers b;
    b.input = at;
    b.input_gradient = l.wants_input_gradient ? gradient_at : nullptr;
    if (l.stage->is_view()) {
      b.output = const_cast<float*>(at); // a view passes its input on; it is never written through
      b.output_gradient = gradient_at;
    } else {
      buffers_.emplace_back(l.stage->output_layout().floats());
      b.output = buffers_.back().data();
      if (training_)
        b.output_gradient = gradient_replaces_output(i) ? b.output : gradients.at(turn++ % 2);
    }
    l.stage->bind(b);
    at = b.output;
    gradient_at = b.output_gradient;
  }
  output_ = const_cast<float*>(at);
  output_gradient_ = gradient_at;
  inputs_.clear();
  for (const auto position : link_of_layer_)
    inputs_.push_back(link_inputs[position]);
}

stage_chain::stage_chain(const std::vector<std::unique_ptr<layer>>& layers, const stage_request& request)
    : stage_chain(layers, request,
                  layers.empty() ? request.incoming
                                 : tensor_layout::plain(request.batch, layers.back()->output_shape())) {}

template <bool Forward>
void stage_chain::run_profiled(const pass& p) {
  stage_profile& profile = *p.profile;
  if (profile.entries.size() != links_.size()) {
    profile.entries.clear();
    for (const auto& l : links_)
      profile.entries.push_back({l.name});
  }
  pass inner = p;
  inner.profile = nullptr;
  inner.watch = nullptr;
  inner.arriving = nullptr;
  for (std::size_t k = 0; k < links_.size(); ++k) {
    const std::size_t i = Forward ? k : links_.size() - 1 - k;
    if (links_[i].stage->is_view())
      continue;
    if (Forward)
      await_parameters(p, links_[i]);
    const double begin = profile.time.now();
    Forward ? links_[i].stage->forward(inner) : links_[i].stage->backward(inner);
    auto& entry = profile.entries[i];
    (Forward ? entry.forward_seconds : entry.backward_seconds) += profile.time.now() - begin;
    if (!Forward)
      report(p, links_[i]);
  }
}

void stage_chain::forward(const pass& p) {
  if (p.profile != nullptr)
    return run_profiled<true>(p);
  pass inner = p;
  inner.arriving = nullptr;
  for (auto& l : links_)
    if (!l.stage->is_view()) {
      await_parameters(p, l);
      l.stage->forward(inner);
    }
}

void stage_chain::backward(const pass& p) {
  if (p.profile != nullptr)
    return run_profiled<false>(p);
  backward_links(p, 0, links_.size());
}

void stage_chain::backward_links(const pass& p, std::size_t begin, std::size_t end) {
  pass inner = p;
  inner.watch = nullptr;
  for (std::size_t i = end; i-- > begin;)
    if (!links_[i].stage->is_view()) {
      links_[i].stage->backward(inner);
      report(p, links_[i]);
    }
}

void stage_chain::await_parameters(const pass& p, const link& next) {
  if (p.arriving != nullptr && next.trained_layer)
    p.arriving->gate.await(p.arriving->ends[*next.trained_layer]);
}

void stage_chain::report(const pass& p, const link& done) {
  if (p.watch != nullptr && done.trained_layer)
    p.watch->observer.final_from(p.watch->offsets[*done.trained_layer]);
}

void stage_chain::backward_last(const pass& p) {
  backward_links(p, last_trained_, links_.size());
}

void stage_chain::backward_rest(const pass& p) {
  backward_links(p, 0, last_trained_);
}

std::size_t stage_chain::bytes() const {
  std::size_t total = 0;
  for (const auto& b : buffers_)
    total += b.size() * sizeof(float);
  return total;
}

} // namespace triage
