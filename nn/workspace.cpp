#include "nn/workspace.hpp"

#include "nn/kernels/row_norms.hpp"

#include <algorithm>
#include <map>

namespace triage {

namespace {

/// A network compiled for one batch size, for training or for inference.
struct program {
  program(const network& net, kernel_engine& engine, std::int64_t size, bool training, const float* input)
      : batch(size), chain(net.layers(), {engine, size, tensor_layout::plain(size, net.input_shape()),
                                          training, false, false}),
        loss(static_cast<std::size_t>(size)), residual(static_cast<std::size_t>(size)),
        last_input(static_cast<std::size_t>(size)) {
    chain.bind(input, nullptr);
    if (!training)
      scoring_gradient = float_buffer(static_cast<std::size_t>(size * net.output_width()));
  }

  std::int64_t batch;
  stage_chain chain;
  float_buffer scoring_gradient; ///< of the loss by the output, when only signals are wanted
  std::vector<float> loss;
  std::vector<float> residual;
  std::vector<float> last_input;
};

} // namespace

struct workspace::state {
  explicit state(std::shared_ptr<const network> n) : net(std::move(n)) {}

  float_buffer& input(std::int64_t batch) {
    const auto [at, is_new] = inputs.try_emplace(batch);
    if (is_new)
      at->second = float_buffer(static_cast<std::size_t>(batch * net->input_shape().size()));
    return at->second;
  }

  program& get(std::int64_t batch, bool training) {
    use_one_kernel_thread();
    auto& slot = programs[{batch, training}];
    if (!slot)
      slot = std::make_unique<program>(*net, engine, batch, training, input(batch).data());
    current = slot.get();
    return *slot;
  }

  sample_signals signals(program& p, const float* residual_rows, signal_set wanted) {
    sample_signals s;
    s.loss = p.loss;
    if (contains(wanted, signal::residual_norm)) {
      row_norms(residual_rows, static_cast<std::size_t>(net->output_width()), p.residual);
      s.residual_norm = p.residual;
    }
    if (contains(wanted, signal::last_input_norm)) {
      const std::size_t last = net->layers().size() - 1;
      row_norms(p.chain.input_of(last), static_cast<std::size_t>(net->layers()[last]->input_shape().size()),
                p.last_input);
      s.last_input_norm = p.last_input;
    }
    return s;
  }

  std::shared_ptr<const network> net;
  kernel_engine engine;
  std::map<std::pair<std::int64_t, bool>, std::unique_ptr<program>> programs;
  std::map<std::int64_t, float_buffer> inputs; ///< shared by the two programs of a batch size
  program* current = nullptr;
  stage_profile* profile = nullptr;
};

workspace::workspace(std::shared_ptr<const network> net) : state_(std::make_unique<state>(std::move(net))) {}
workspace::~workspace() = default;
workspace::workspace(workspace&&) noexcept = default;
workspace& workspace::operator=(workspace&&) noexcept = default;

void workspace::prepare_training(std::int64_t batch) {
  (void)state_->get(batch, true);
}

std::span<float> workspace::input(std::int64_t batch) {
  float_buffer& buffer = state_->input(batch);
  return {buffer.data(), buffer.size()};
}

std::span<const float> workspace::outputs() const {
  program* p = state_->current;
  if (p == nullptr)
    return {};
  return {p->chain.output(), static_cast<std::size_t>(p->batch * state_->net->output_width())};
}

std::span<const float> workspace::infer(std::span<const float> parameters, std::int64_t batch) {
  program& p = state_->get(batch, false);
  p.chain.forward({parameters, {}, false, nullptr, state_->profile});
  return outputs();
}

sample_signals workspace::train(std::span<const float> parameters, std::int64_t batch,
                                const batch_targets& targets, std::span<const float> weights,
                                const loss_function& loss, signal_set wanted, rng& random,
                                std::span<float> gradient) {
  program& p = state_->get(batch, true);
  const pass now{parameters, gradient, true, &random, state_->profile};
  p.chain.forward(now);
  const auto width = static_cast<std::size_t>(state_->net->output_width());
  const std::span<float> rows(p.chain.output_gradient(), p.loss.size() * width);
  loss.evaluate(outputs(), state_->net->output_width(), targets, p.loss, rows);
  const auto out = state_->signals(p, rows.data(), wanted);
  const float share = 1.0F / static_cast<float>(batch);
  for (std::size_t i = 0; i < p.loss.size(); ++i) {
    const float factor = weights.empty() ? share : weights[i] * share;
    for (std::size_t j = 0; j < width; ++j)
      rows[i * width + j] *= factor;
  }
  state_->net->parameters().clear_gaps(gradient);
  p.chain.backward(now);
  return out;
}

sample_signals workspace::measure(std::span<const float> parameters, std::int64_t batch,
                                  const batch_targets& targets, const loss_function& loss,
                                  signal_set wanted) {
  infer(parameters, batch);
  program& p = *state_->current;
  const bool residuals = contains(wanted, signal::residual_norm);
  const std::span<float> rows =
      residuals ? std::span<float>(p.scoring_gradient.data(), p.scoring_gradient.size()) : std::span<float>{};
  loss.evaluate(outputs(), state_->net->output_width(), targets, p.loss, rows);
  return state_->signals(p, rows.data(), wanted);
}

sample_signals workspace::measure_gradients(std::span<const float>, std::int64_t, const batch_targets&,
                                            const loss_function&, signal_set, std::span<const float>,
                                            std::span<float>) {
  return {};
}

std::vector<float> workspace::input_ranges() const {
  std::vector<float> ranges;
  if (const program* p = state_->current)
    for (std::size_t i = 0; i < state_->net->layers().size(); ++i) {
      const auto values = p->chain.whole_input_of(i);
      ranges.push_back(values.empty() ? 0.0F : *std::max_element(values.begin(), values.end()));
    }
  return ranges;
}

void workspace::profile(stage_profile* profile) {
  state_->profile = profile;
}

std::size_t workspace::bytes() const {
  std::size_t total = state_->engine.scratch_bytes();
  for (const auto& [key, p] : state_->programs)
    total += p->chain.bytes() + p->scoring_gradient.size() * sizeof(float);
  for (const auto& [batch, buffer] : state_->inputs)
    total += buffer.size() * sizeof(float);
  return total;
}

} // namespace triage
