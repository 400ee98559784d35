#include "nn/workspace.hpp"

#include "core/flush_subnormals.hpp"
#include "nn/kernels/row_norms.hpp"
#include "nn/stage_chain.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace triage {

namespace {

enum class purpose { inference, training, sample_gradients };

constexpr signal_set backward_signals = signal::gradient_norm | signal::projection | signal::last_projection;

purpose purpose_of_training(signal_set wanted) {
  return (wanted & backward_signals) != 0 ? purpose::sample_gradients : purpose::training;
}

/// What the loss of a sample is multiplied with in the mean over a batch.
auto factor_of(std::span<const float> weights, std::int64_t batch) {
  return [weights, share = 1.0F / static_cast<float>(batch)](std::size_t i) {
    return weights.empty() ? share : weights[i] * share;
  };
}

/// A network compiled for one batch size and purpose.
struct program {
  program(const network& net, kernel_engine& engine, std::int64_t size, purpose kind, precision training)
      : batch(size),
        chain(net.layers(), {engine, size, tensor_layout::plain(size, net.input_shape()),
                             kind != purpose::inference, false, false, kind == purpose::sample_gradients,
                             kind != purpose::inference && training == precision::bfloat16}),
        loss(static_cast<std::size_t>(size)), residual(static_cast<std::size_t>(size)),
        last_input(static_cast<std::size_t>(size)) {
    if (kind == purpose::inference)
      scoring_gradient = float_buffer(static_cast<std::size_t>(size * net.output_width()));
    if (kind == purpose::sample_gradients) {
      for (auto* sums : {&squared_norms, &projections, &last_projections})
        sums->resize(loss.size());
      for (auto* values : {&gradient_norm, &projection, &last_projection})
        values->resize(loss.size());
    }
  }

  std::int64_t batch;
  stage_chain chain;
  std::size_t memory_floats = chain.memory_floats();
  std::uint64_t bound_to = 0;    ///< state::memory_number at the time; 0: not yet
  float_buffer scoring_gradient; ///< of the loss by the output, when only signals are wanted
  std::vector<float> loss;
  std::vector<float> residual;
  std::vector<float> last_input;
  // With sample gradients only.
  std::vector<double> squared_norms, projections, last_projections;
  std::vector<float> gradient_norm, projection, last_projection;
};

} // namespace

struct workspace::state {
  state(std::shared_ptr<const network> n, precision p) : net(std::move(n)), training(p) {}

  std::span<float> input(std::int64_t batch) {
    const auto floats = static_cast<std::size_t>(batch * net->input_shape().size());
    make_room(inputs, floats);
    return {inputs.data(), floats};
  }

  void make_room(float_buffer& buffer, std::size_t floats) {
    if (buffer.size() >= floats)
      return;
    ++memory_number;
    buffer = {}; // first, so that both are never there
    buffer = float_buffer(floats);
  }

  program& get(std::int64_t batch, purpose kind) {
    use_one_kernel_thread();
    auto& slot = programs[{batch, kind}];
    if (!slot)
      slot = std::make_unique<program>(*net, engine, batch, kind, training);
    program& p = *slot;
    make_room(memory, p.memory_floats);
    if (p.bound_to != memory_number) {
      p.chain.bind(input(batch).data(), nullptr, memory.data());
      p.bound_to = memory_number;
    }
    current = &p;
    return p;
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

  /// Forward, loss, backward. `factor(i)`: what the loss of sample i is multiplied with.
  template <class Factor>
  sample_signals run_backward(program& p, pass now, const batch_targets& targets,
                              const loss_function& loss_of, signal_set wanted,
                              std::span<const float> direction, const Factor& factor) {
    const flush_subnormals fast;
    now.emulated = &emulated;
    p.chain.forward(now);
    if (now.arriving != nullptr)
      now.arriving->gate.await(now.parameters.size());
    const auto width = static_cast<std::size_t>(net->output_width());
    const std::span<float> rows(p.chain.output_gradient(), p.loss.size() * width);
    loss_of.evaluate({p.chain.output(), rows.size()}, net->output_width(), targets, p.loss, rows);
    auto out = signals(p, rows.data(), wanted);
    for (std::size_t i = 0; i < p.loss.size(); ++i) {
      const float f = factor(i);
      for (std::size_t j = 0; j < width; ++j)
        rows[i * width + j] *= f;
    }
    if (!now.gradient.empty())
      net->parameters().clear_gaps(now.gradient);
    if ((wanted & backward_signals) == 0) {
      p.chain.backward(now);
      return out;
    }
    if (direction.empty())
      wanted &= static_cast<signal_set>(signal::gradient_norm) | ~backward_signals;
    backward_with_samples(p, now, wanted, direction);
    // The output gradients carry the factors: take them out again.
    const auto finish = [&](signal s, const std::vector<double>& sums, std::vector<float>& values,
                            bool root) {
      if (!contains(wanted, s))
        return std::span<const float>{};
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto f = std::abs(static_cast<double>(factor(i)));
        const double sum = root ? std::sqrt(sums[i]) : sums[i];
        values[i] = static_cast<float>(f > 0.0 ? sum / f : 0.0);
      }
      return std::span<const float>(values);
    };
    out.gradient_norm = finish(signal::gradient_norm, p.squared_norms, p.gradient_norm, true);
    out.projection = finish(signal::projection, p.projections, p.projection, false);
    out.last_projection = finish(signal::last_projection, p.last_projections, p.last_projection, false);
    return out;
  }

  /// The projections of the last layer are those that its part of the way back has collected.
  static void backward_with_samples(program& p, pass now, signal_set wanted,
                                    std::span<const float> direction) {
    for (auto* sums : {&p.squared_norms, &p.projections})
      std::fill(sums->begin(), sums->end(), 0.0);
    sample_gradients samples{{}, {}, direction};
    if (contains(wanted, signal::gradient_norm))
      samples.squared_norms = p.squared_norms;
    if (need_direction(wanted))
      samples.projections = p.projections;
    now.samples = &samples;
    p.chain.backward_last(now);
    p.last_projections = p.projections;
    const bool more = contains(wanted, signal::gradient_norm) || contains(wanted, signal::projection);
    if (!contains(wanted, signal::projection))
      samples.projections = {};
    if (!more)
      now.samples = nullptr;
    if (more || !now.gradient.empty())
      p.chain.backward_rest(now);
  }

  std::shared_ptr<const network> net;
  precision training;
  kernel_engine engine;
  std::map<std::pair<std::int64_t, purpose>, std::unique_ptr<program>> programs;
  // Of whichever program runs; as large as the largest needs.
  float_buffer inputs;
  float_buffer memory;
  std::uint64_t memory_number = 1; ///< counts the moves of the two
  std::vector<float> input_ranges;
  bool watches_ranges = false;
  program* current = nullptr;
  emulated_work emulated;
  stage_profile* profile = nullptr;
};

workspace::workspace(std::shared_ptr<const network> net, precision training)
    : state_(std::make_unique<state>(std::move(net), training)) {}
workspace::~workspace() = default;
workspace::workspace(workspace&&) noexcept = default;
workspace& workspace::operator=(workspace&&) noexcept = default;

void workspace::prepare_training(std::int64_t batch, signal_set wanted) {
  (void)state_->get(batch, purpose_of_training(wanted));
}

std::span<float> workspace::input(std::int64_t batch) {
  return state_->input(batch);
}

std::span<const float> workspace::outputs() const {
  program* p = state_->current;
  if (p == nullptr)
    return {};
  return {p->chain.output(), static_cast<std::size_t>(p->batch * state_->net->output_width())};
}

std::span<const float> workspace::infer(std::span<const float> parameters, std::int64_t batch) {
  const flush_subnormals fast;
  program& p = state_->get(batch, purpose::inference);
  pass now{parameters, {}, false, nullptr, state_->profile};
  now.input_ranges = state_->watches_ranges ? &state_->input_ranges : nullptr;
  p.chain.forward(now);
  return outputs();
}

sample_signals workspace::train(std::span<const float> parameters, std::int64_t batch,
                                const batch_targets& targets, std::span<const float> weights,
                                const loss_function& loss, signal_set wanted, rng& random,
                                std::span<float> gradient, std::span<const float> direction,
                                gradient_observer* observer, parameter_gate* gate) {
  program& p = state_->get(batch, purpose_of_training(wanted));
  pass now{parameters, gradient, true, &random, state_->profile};
  std::optional<gradient_watch> watch;
  if (observer != nullptr)
    now.watch = &watch.emplace(*observer, state_->net->trained_offsets());
  std::optional<parameter_watch> arriving;
  if (gate != nullptr)
    now.arriving = &arriving.emplace(*gate, state_->net->trained_ends());
  return state_->run_backward(p, now, targets, loss, wanted, direction, factor_of(weights, batch));
}

sample_signals workspace::measure_gradients(std::span<const float> parameters, std::int64_t batch,
                                            const batch_targets& targets, const loss_function& loss,
                                            signal_set wanted, std::span<const float> direction,
                                            std::span<float> gradient, std::span<const float> weights) {
  program& p = state_->get(batch, purpose::sample_gradients);
  return state_->run_backward(p, {parameters, gradient, true, nullptr, state_->profile}, targets, loss,
                              wanted, direction, factor_of(weights, batch));
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

void workspace::watch_input_ranges(bool on) {
  state_->watches_ranges = on;
}

const std::vector<float>& workspace::input_ranges() const {
  return state_->input_ranges;
}

void workspace::profile(stage_profile* profile) {
  state_->profile = profile;
}

void workspace::give_back_memory() {
  ++state_->memory_number;
  state_->inputs = {};
  state_->memory = {};
  state_->current = nullptr;
}

std::size_t workspace::bytes() const {
  std::size_t floats = state_->inputs.size() + state_->memory.size();
  for (const auto& [key, p] : state_->programs)
    floats += p->scoring_gradient.size();
  return floats * sizeof(float);
}

} // namespace triage
