#include "actors/run_controller.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <set>
#include <string_view>

// How a run_controller keeps batches in stock, and which of them it hands to whom.

namespace triage {

batch_list run_controller::batches_for(const member& m, std::size_t steps) {
  batch_list out = stock_->take(m.node, steps, false);
  if (!out.empty() || !stock_->sharded())
    return out;
  if (everything_drawn()) {
    while (out.empty() && stock_->relieve(m.node, steps, true))
      out = stock_->take(m.node, steps, false);
    return out.empty() ? stock_->take(m.node, steps, true) : out;
  }
  // Points of other shards only: the node takes one over where another has too much, or waits for what is on
  // its way. More is drawn for it as long as the others are not far behind.
  const std::size_t full = full_stock();
  const bool far_behind = stock_->batches() >= 2 * full;
  while (out.empty() && stock_->batches() + batches_requested_ >= full &&
         stock_->relieve(m.node, steps, far_behind && batches_requested_ == 0))
    out = stock_->take(m.node, steps, false);
  if (out.empty() && batches_requested_ == 0 && !far_behind)
    ask_for(
        std::max(full - std::min(full, stock_->batches()), std::min(steps, 2 * full - stock_->batches())));
  return out;
}

void run_controller::keep_shards() {
  const auto& c = setup_->config;
  auto sharded = make_batch_stock(setup_->data.train.size, static_cast<std::size_t>(c.batch_size),
                                  static_cast<std::size_t>(c.shards));
  for (const auto& batch : stock_->contents()) // of a run that is resumed
    sharded->put(batch);
  stock_ = std::move(sharded);
}

void run_controller::warn_of_few_shards() {
  if (!stock_->sharded() || few_shards_)
    return;
  std::set<std::string_view> nodes;
  for (const auto& m : ledger_.members())
    nodes.insert(m.node);
  few_shards_ = nodes.size() > static_cast<std::size_t>(setup_->config.shards);
  if (few_shards_)
    effects_.warn(
        fmt::format("{} nodes share {} shards, which go from one to the other; set network.shards to several "
                    "for each node",
                    nodes.size(), setup_->config.shards));
}

std::size_t run_controller::full_stock() const {
  const auto per_worker = static_cast<std::size_t>(setup_->config.prefetch_batches);
  std::size_t full = per_worker * std::max<std::size_t>(ledger_.members().size(), 1);
  if (per_worker == 0) // only what somebody waits for
    full = static_cast<std::size_t>(std::count_if(ledger_.members().begin(), ledger_.members().end(),
                                                  [&](const auto& m) { return has_room(m); }));
  return full * std::max(local_steps(), plan_ ? plan_->steps : 1) + stock_->reserve();
}

std::uint64_t run_controller::samples_to_draw() const {
  if (!budget_)
    return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t known = samples_dispatched_ + stock_->samples() +
                              batches_requested_ * static_cast<std::uint64_t>(setup_->config.batch_size);
  return *budget_ - std::min(*budget_, known);
}

bool run_controller::everything_drawn() const {
  return batches_requested_ == 0 && samples_to_draw() == 0;
}

void run_controller::request_batches() {
  if (phase_ == phase::done || ending())
    return;
  // What is in stock or asked for stays constant. It is topped up at each grant and at no other moment of a
  // step, so that with one worker the sampler sees scores and draws in the same order whatever the timing.
  const std::size_t full = full_stock();
  const std::size_t have = stock_->batches() + batches_requested_;
  if (have < full)
    ask_for(full - have);
}

void run_controller::ask_for(std::size_t batches) {
  if (stock_->sharded()) {
    // What is drawn for a node is trained by it, in the end to the last point; so no more is drawn than that.
    const auto size = static_cast<std::uint64_t>(setup_->config.batch_size);
    const std::uint64_t left = samples_to_draw();
    batches = std::min<std::size_t>(batches, left / size + (left % size > 0 ? 1 : 0));
  }
  if (batches == 0)
    return;
  batches_requested_ += batches;
  draw(batches, progress(samples_dispatched_).fraction());
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
