#include "actors/run_controller.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

// How a run_controller keeps batches in stock, and which of them it hands to whom.

namespace triage {

namespace {
/// Batches more in stock for each worker where they differ in who may take them. Half way through a pass over
/// n points the number of those that were drawn for one of two nodes deviates by sqrt(n) / 2 from its mean;
/// three times that, and nobody waits, or takes over a shard, only because of chance.
std::size_t reserve_for_chance(std::size_t points, std::size_t batch_size) {
  const double deviation = 0.5 * std::sqrt(static_cast<double>(points));
  return 1 + static_cast<std::size_t>(3.0 * deviation / static_cast<double>(batch_size));
}
} // namespace

batch_list run_controller::batches_for(const member& m, std::size_t steps) {
  const bool last = stock_->sharded() && everything_drawn();
  batch_list out = stock_->take(m.node, steps, false);
  // With as much in stock as there shall be, more draws would only let the others fall further behind.
  while (out.empty() && batches_requested_ == 0 && (last || stock_->batches() >= full_stock()) &&
         stock_->relieve(m.node))
    out = stock_->take(m.node, steps, false);
  return out.empty() && last ? stock_->take(m.node, steps, true) : out;
}

std::size_t run_controller::full_stock() const {
  // What is in stock or asked for stays constant. It is topped up at each grant and at no other moment of a
  // step, so that with one worker the sampler sees scores and draws in the same order whatever the timing.
  const auto per_worker = static_cast<std::size_t>(setup_->config.prefetch_batches);
  std::size_t full = per_worker * std::max<std::size_t>(ledger_.members().size(), 1);
  if (per_worker == 0) // only what somebody waits for
    full = static_cast<std::size_t>(std::count_if(ledger_.members().begin(), ledger_.members().end(),
                                                  [&](const auto& m) { return has_room(m); }));
  if (stock_->sharded())
    full += ledger_.members().size() *
            reserve_for_chance(setup_->data.train.size, static_cast<std::size_t>(setup_->config.batch_size));
  return full * std::max(local_steps(), plan_ ? plan_->steps : 1);
}

double run_controller::samples_to_draw() const {
  if (!setup_->config.epochs)
    return std::numeric_limits<double>::infinity();
  const auto coming = batches_requested_ * static_cast<std::size_t>(setup_->config.batch_size);
  return *setup_->config.epochs * static_cast<double>(setup_->data.train.size) -
         static_cast<double>(samples_dispatched_ + stock_->samples() + coming);
}

bool run_controller::everything_drawn() const {
  return batches_requested_ == 0 && samples_to_draw() <= 0.0;
}

void run_controller::request_batches() {
  if (phase_ == phase::done || ending())
    return;
  const std::size_t full = full_stock();
  const std::size_t have = stock_->batches() + batches_requested_;
  if (have >= full)
    return;
  std::size_t wanted = full - have;
  if (stock_->sharded()) {
    // What is drawn for a node is trained by it, in the end to the last point; so no more is drawn than that.
    const double left = std::ceil(samples_to_draw() / static_cast<double>(setup_->config.batch_size));
    if (left < static_cast<double>(wanted))
      wanted = static_cast<std::size_t>(std::max(left, 0.0));
    if (wanted == 0)
      return;
  }
  batches_requested_ += wanted;
  draw(wanted, progress(samples_dispatched_).fraction());
}

void run_controller::draw(std::size_t batches, double run_fraction) {
  // Parameters that nobody will measure with are not held: the next merge may then change them in place.
  if (!setup_->uses_estimators)
    effects_.draw(batches, run_fraction, {store_.version(), {}});
  else if (store_.arriving())
    postponed_draws_.push_back({batches, run_fraction});
  else
    effects_.draw(batches, run_fraction, shared());
}

} // namespace triage
