#include "nn/quantised_network.hpp"

#include "nn/quantised/quantise.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace triage {

namespace {

/// Room above the largest value seen while calibrating: parameters move on until the next time.
constexpr float headroom = 1.1F;
constexpr float byte_steps = 255.0F;

std::size_t floats(const dnnl::memory::desc& d) {
  return (d.get_size() + sizeof(float) - 1) / sizeof(float);
}

} // namespace

bool quantised_network::processor_supports() {
  switch (dnnl::get_effective_cpu_isa()) {
  case dnnl::cpu_isa::avx512_core_vnni:
  case dnnl::cpu_isa::avx512_core_bf16:
  case dnnl::cpu_isa::avx512_core_amx:
  case dnnl::cpu_isa::avx2_vnni:
    return true;
  default:
    return false;
  }
}

result<std::unique_ptr<quantised_network>> quantised_network::compile(std::shared_ptr<const network> net,
                                                                      std::int64_t batch) {
  std::unique_ptr<quantised_network> q(new quantised_network);
  q->net_ = std::move(net);
  q->batch_ = batch;
  q->engine_ = std::make_unique<kernel_engine>();
  const auto& layers = q->net_->layers();
  const auto& shape = q->net_->input_shape();
  q->input_.resize(static_cast<std::size_t>(batch * shape.size()));
  dnnl::memory::desc at({batch, shape.size()}, dnnl::memory::data_type::u8, dnnl::memory::format_tag::nc);
  bool is_input = true;
  bool relu_done = false;
  bool pool_done = false;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (std::exchange(relu_done, false) ||
        (layers[i]->halves_by_maximum() && std::exchange(pool_done, false))) {
      q->links_.push_back({make_quantised_view(at), i, nullptr});
      continue;
    }
    const bool relu_follows = i + 1 < layers.size() && layers[i + 1]->is_relu();
    const std::size_t behind = i + (relu_follows ? 2 : 1);
    const bool pool_follows = behind + 1 < layers.size() && layers[behind]->halves_by_maximum();
    auto stage = layers[i]->quantise(
        {*q->engine_, batch, at, is_input, i + 1 == layers.size(), relu_follows, pool_follows});
    if (!stage)
      return configuration_error(
          fmt::format("layer {} ({}) has no 8-bit form at this place", i, layers[i]->type()));
    if (!stage->is_view()) {
      is_input = false;
      relu_done = relu_follows;
      pool_done = stage->applies_next_pool();
    }
    at = stage->output();
    q->links_.push_back({std::move(stage), i, nullptr});
  }
  if (at.data_type() != dnnl::memory::data_type::f32)
    return configuration_error("the last layer does not end in floats");

  const std::uint8_t* bytes = q->input_.data();
  for (auto& l : q->links_) {
    if (l.layer + 1 == layers.size())
      q->last_input_ = bytes;
    if (l.stage->is_view())
      continue;
    q->buffers_.emplace_back(floats(l.stage->output()));
    l.output = reinterpret_cast<const std::byte*>(q->buffers_.back().data());
    l.stage->bind(bytes, reinterpret_cast<std::byte*>(q->buffers_.back().data()));
    bytes = reinterpret_cast<const std::uint8_t*>(l.output);
  }
  q->last_input_width_ = static_cast<std::size_t>(layers.back()->input_shape().size());
  if (q->last_input_ == q->input_.data())
    return configuration_error("a single layer has nothing to gain");
  return q;
}

void quantised_network::load(std::span<const float> parameters, const byte_meaning& input,
                             std::span<const float> ranges) {
  constexpr float none = 0.0F;
  float scale = 1.0F;
  byte_meaning meaning = input;
  for (auto& l : links_) {
    if (l.stage->keeps_meaning())
      continue;
    const bool last = l.layer + 1 == links_.size();
    if (last)
      last_input_scale_ = scale;
    float next = 1.0F;
    if (!last) {
      const float range = ranges[l.layer + 1];
      next = range > 0.0F && std::isfinite(range) ? headroom * range / byte_steps : 1.0F;
    }
    l.stage->load(parameters.data(), meaning, next);
    scale = next;
    meaning = {{&scale, 1}, {&none, 1}};
  }
}

std::span<const float> quantised_network::infer() {
  use_one_kernel_thread();
  for (auto& l : links_)
    if (!l.stage->is_view())
      l.stage->run();
  return {buffers_.back().data(), static_cast<std::size_t>(batch_ * net_->output_width())};
}

void quantised_network::last_input_norms(std::span<float> norms) const {
  std::vector<double> squares(norms.size());
  byte_row_squares(last_input_, last_input_width_, squares);
  for (std::size_t i = 0; i < norms.size(); ++i)
    norms[i] = last_input_scale_ * static_cast<float>(std::sqrt(squares[i]));
}

} // namespace triage
