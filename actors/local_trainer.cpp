#include "actors/local_trainer.hpp"

#include "actors/parameter_arrival.hpp"
#include "core/finite.hpp"

#include <algorithm>

namespace triage {

namespace {

/// Steps of one lease have random streams of their own; the first has that of the lease.
std::uint64_t stream_of(std::uint64_t lease, std::size_t step) {
  return lease + (static_cast<std::uint64_t>(step) << 40U);
}

void append(std::vector<float>& to, const std::vector<float>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

void add(train_result& to, train_result&& step) {
  to.loss_sum += step.loss_sum;
  to.weighted_loss += step.weighted_loss;
  to.correct += step.correct;
  append(to.scores, step.scores);
  append(to.losses, step.losses);
  to.finite = step.finite;
  to.suspects = std::move(step.suspects);
}

} // namespace

local_trainer::local_trainer(std::shared_ptr<const run_setup> setup, const local_round& round)
    : setup_(std::move(setup)), round_(round), trainer_(setup_),
      store_(setup_->net->parameters(), *setup_->rule, setup_->config.gradient_clipping),
      outcomes_(setup_->net->parameters().size()) {
  if (setup_->compression_up)
    compression_.emplace(*setup_->compression_up, outcomes_.block_size());
}

void local_trainer::begin_round(const snapshot& at) {
  if (at.arriving)
    at.arriving->await_all();
  if (!placed_ || !round_.keeps_moments)
    store_.forget_steps();
  if (!placed_ || round_.pull == 1.0)
    store_.place(at.parameters.view());
  else
    store_.pull(at.parameters.view(), round_.pull);
  placed_ = true;
}

void local_trainer::set_outcome(const snapshot& base, train_result& out) {
  mutable_blob block = outcomes_.acquire();
  const auto values = block.values();
  const auto here = store_.current().view();
  if (round_.sends_position) {
    std::copy(here.begin(), here.end(), values.begin());
  } else {
    const auto began = base.parameters.view();
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = began[i] - here[i];
  }
  out.finite = out.finite && all_finite(values);
  if (compression_ && out.finite) {
    auto bytes = std::make_shared<byte_block>();
    compression_->encode(values, *bytes);
    out.encoded = std::move(bytes);
  }
  out.gradient = std::move(block).freeze();
}

train_result local_trainer::train(const train_order& order) {
  begin_round(order.base);
  train_result out;
  for (std::size_t step = 0; step < order.batches.size() && out.finite; ++step) {
    const drawn_batch& batch = *order.batches[step];
    train_result one =
        trainer_.train({order.base.version, store_.current()}, batch, stream_of(order.lease, step));
    const contribution gradient{std::move(one.gradient), static_cast<double>(batch.ids.size())};
    if (one.finite)
      store_.merge({&gradient, 1}, order.learning_rates[step]);
    add(out, std::move(one));
  }
  out.lease = order.lease;
  out.base_version = order.base.version;
  set_outcome(order.base, out);
  placed_ = out.finite;
  if (!out.finite) {
    out.scores.clear(); // of some of the points at most
    out.losses.clear();
    if (compression_)
      compression_->forget();
  }
  return out;
}

} // namespace triage
