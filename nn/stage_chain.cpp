#include "nn/stage_chain.hpp"

#include <algorithm>
#include <utility>

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

/// In place of a relu or pool that the stage before applies already.
class done_stage : public stage {
public:
  explicit done_stage(const tensor_layout& layout) : stage(layout, layout) {}
  [[nodiscard]] bool is_view() const override { return true; }
  void forward(const pass&) override {}
  void backward(const pass&) override {}
};

} // namespace

void stage_chain::add(std::unique_ptr<stage> compiled, bool gradient, std::string name,
                      const scratch_meter& meter) {
  links_.push_back({std::move(compiled), gradient, std::move(name)});
  links_.back().scratch_bytes = meter.bytes();
}

stage_chain::stage_chain(const std::vector<std::unique_ptr<layer>>& layers, const stage_request& request,
                         const std::optional<tensor_layout>& outgoing)
    : engine_(request.engine), training_(request.training), output_layout_(request.incoming) {
  bool gradient = request.input_gradient;
  stage* before = nullptr; // what wrote the memory that the next stage reads
  bool pool_done = false;  // the next pool was applied by `before`
  const auto convert = [&](const tensor_layout& to) {
    const scratch_meter meter(engine_);
    const stage_request r{engine_,  request.batch, output_layout_,           training_,
                          gradient, false,         request.sample_gradients, request.bfloat16};
    add(std::make_unique<reorder_stage>(r, to), gradient, "reorder", meter);
    output_layout_ = to;
    before = links_.back().stage.get();
  };
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& l = layers[i];
    const scratch_meter meter(engine_);
    const bool skipped_pool = l->halves_by_maximum() && std::exchange(pool_done, false);
    // Who pools has rectified, by the relu before the pool or by one of its own.
    const bool skipped_relu = l->is_relu() && before != nullptr && (pool_done || before->applies_next_relu());
    if (skipped_pool || skipped_relu) {
      link_of_layer_.push_back(links_.size());
      add(std::make_unique<done_stage>(output_layout_), gradient, std::string(l->type()), meter);
      continue;
    }
    const bool relu_follows = i + 1 < layers.size() && layers[i + 1]->is_relu();
    const std::size_t behind = i + (relu_follows ? 2 : 1);
    const bool pool_follows = behind < layers.size() && layers[behind]->halves_by_maximum();
    const stage_request r{engine_,     request.batch, output_layout_,           training_,
                          gradient,    relu_follows,  request.sample_gradients, request.bfloat16,
                          pool_follows};
    auto compiled = l->compile(r);
    if (!(compiled->input_layout() == output_layout_))
      convert(compiled->input_layout());
    else if (before != nullptr && before->ends_in_relu() && gradient && compiled->take_over_relu_derivative())
      before->omit_relu_derivative();
    output_layout_ = compiled->output_layout();
    link_of_layer_.push_back(links_.size());
    if (!compiled->is_view())
      before = compiled.get();
    pool_done = compiled->applies_next_pool();
    if (l->has_parameters())
      last_trained_ = links_.size();
    add(std::move(compiled), gradient, std::string(l->type()), meter);
    if (l->has_parameters())
      links_.back().trained_layer = i;
    gradient = gradient || l->has_parameters();
  }
  if (outgoing && !(output_layout_ == *outgoing))
    convert(*outgoing);
}

// -- memory -------------------------------------------------------------------------------------------------

/// Outputs are needed until the next stage has read them, and until the backward passes have that look back.
void stage_chain::plan_outputs() {
  std::optional<std::size_t> at; // what the next link reads; the caller's input at first
  const auto needed_until = [&](std::size_t step) {
    if (at)
      pieces_[*at].last = std::max(pieces_[*at].last, step);
  };
  for (std::size_t i = 0; i < links_.size(); ++i) {
    link& l = links_[i];
    if (!link_of_layer_.empty() && link_of_layer_.back() == i)
      needed_until(last_step()); // signals look at the input of the last layer
    if (l.stage->is_view())
      continue;
    needed_until(training_ && l.stage->backward_reads_input() ? backward_step(i) : i);
    l.output_piece = pieces_.size();
    pieces_.push_back({l.stage->output_layout().floats(), i,
                       training_ && l.stage->backward_reads_output() ? backward_step(i) : i});
    at = l.output_piece;
  }
  needed_until(last_step());
}

/// The gradient of an output is written by the link behind (or the loss), and read by the link that wrote it.
void stage_chain::plan_gradients() {
  std::size_t written = links_.size();
  for (std::size_t i = links_.size(); i-- > 0;)
    if (link& l = links_[i]; !l.stage->is_view()) {
      l.gradient_piece = pieces_.size();
      pieces_.push_back({l.stage->output_layout().floats(), written, backward_step(i)});
      written = backward_step(i);
    }
}

void stage_chain::plan_scratch() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const std::size_t floats = (links_[i].scratch_bytes + sizeof(float) - 1) / sizeof(float);
    links_[i].forward_scratch = pieces_.size();
    pieces_.push_back({floats, i, i});
    links_[i].backward_scratch = pieces_.size();
    pieces_.push_back({training_ ? floats : 0, backward_step(i), backward_step(i)});
  }
}

void stage_chain::plan(bool with_scratch) {
  pieces_.clear();
  plan_outputs();
  if (training_)
    plan_gradients();
  if (with_scratch)
    plan_scratch();
}

std::size_t stage_chain::memory_floats() {
  plan(true);
  return place_pieces(pieces_);
}

void stage_chain::bind(const float* input, float* input_gradient) {
  plan(false);
  lent_ = nullptr;
  const std::size_t floats = place_pieces(pieces_);
  if (own_memory_.size() == 0)
    own_memory_ = float_buffer(floats);
  bind_links(input, input_gradient, own_memory_.data());
}

void stage_chain::bind(const float* input, float* input_gradient, float* memory) {
  lent_ = memory;
  bind_links(input, input_gradient, memory);
}

void stage_chain::bind_links(const float* input, float* input_gradient, float* memory) {
  const auto place = [&](std::size_t piece) { return memory + pieces_[piece].offset; };
  const float* at = input;
  float* gradient_at = input_gradient;
  for (auto& l : links_) {
    l.input = at;
    stage_buffers b;
    b.input = at;
    b.input_gradient = l.wants_input_gradient ? gradient_at : nullptr;
    if (l.stage->is_view()) {
      b.output = const_cast<float*>(at); // a view passes its input on; it is never written through
      b.output_gradient = gradient_at;
    } else {
      b.output = place(l.output_piece);
      b.output_gradient = training_ ? place(l.gradient_piece) : nullptr;
    }
    l.stage->bind(b);
    at = b.output;
    gradient_at = b.output_gradient;
  }
  output_ = const_cast<float*>(at);
  output_gradient_ = gradient_at;
}

stage_chain::stage_chain(const std::vector<std::unique_ptr<layer>>& layers, const stage_request& request)
    : stage_chain(layers, request,
                  layers.empty() ? request.incoming
                                 : tensor_layout::plain(request.batch, layers.back()->output_shape())) {}

// -- passes -------------------------------------------------------------------------------------------------

void stage_chain::run_forward(const link& l, const pass& p) {
  if (lent_ != nullptr)
    engine_.lend_scratch(lent_ + pieces_[l.forward_scratch].offset);
  l.stage->forward(p);
}

void stage_chain::run_backward(const link& l, const pass& p) {
  if (lent_ != nullptr)
    engine_.lend_scratch(lent_ + pieces_[l.backward_scratch].offset);
  l.stage->backward(p);
}

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
    Forward ? run_forward(links_[i], inner) : run_backward(links_[i], inner);
    auto& entry = profile.entries[i];
    (Forward ? entry.forward_seconds : entry.backward_seconds) += profile.time.now() - begin;
    if (!Forward)
      report(p, links_[i]);
  }
}

void stage_chain::forward_with_ranges(const pass& p) {
  pass inner = p;
  inner.input_ranges = nullptr;
  p.input_ranges->clear();
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const link& l = links_[i];
    if (std::binary_search(link_of_layer_.begin(), link_of_layer_.end(), i)) {
      const std::span<const float> values(l.input, l.stage->input_layout().floats());
      p.input_ranges->push_back(values.empty() ? 0.0F : *std::max_element(values.begin(), values.end()));
    }
    if (!l.stage->is_view())
      run_forward(l, inner);
  }
}

void stage_chain::forward(const pass& p) {
  if (p.input_ranges != nullptr)
    return forward_with_ranges(p);
  if (p.profile != nullptr)
    return run_profiled<true>(p);
  pass inner = p;
  inner.arriving = nullptr;
  for (const auto& l : links_)
    if (!l.stage->is_view()) {
      await_parameters(p, l);
      run_forward(l, inner);
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
      run_backward(links_[i], inner);
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

} // namespace triage
