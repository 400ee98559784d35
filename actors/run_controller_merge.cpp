#include "actors/run_controller.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

// What a run_controller does with gradients: takes results, sums what is final of a round, merges.

namespace triage {

namespace {
constexpr int bad_results_tolerated = 3;
/// Merged in one pass; their members get their next orders together, so more would keep the first ones
/// waiting.
constexpr std::size_t most_in_turn = 4;
} // namespace

struct run_controller::early_orders final : merge_observer {
  early_orders(run_controller& controller, bool with_first_part) : run(controller), waits(with_first_part) {}
  void began() override {
    if (!waits)
      send();
  }
  void advanced() override {
    if (std::exchange(waits, false))
      send();
    if (ordered)
      run.effects_.parameters_advanced();
  }
  void send() {
    const auto before = run.samples_dispatched_;
    if (run.phase_ == phase::training && !run.must_pause())
      run.dispatch();
    ordered = run.samples_dispatched_ != before;
  }
  run_controller& run;
  bool waits;           ///< for the first part: the other cores then merge while orders go out
  bool ordered = false; ///< somebody waits for what is merged
};

void run_controller::results_arrived(std::span<const train_result> results) {
  const std::size_t at_once = setup_->exchange->merges_rounds() ? results.size() : most_in_turn;
  while (!results.empty()) {
    const auto some = results.first(std::min(results.size(), at_once));
    results = results.subspan(some.size());
    for (const auto& r : some)
      settle(r);
    merge_arrived();
    advance();
  }
  report_if_due();
}

void run_controller::settle(const train_result& result) {
  const auto done = ledger_.settle(result.member, result.lease);
  if (!done)
    return; // late or repeated: the lease was given up, its batch belongs to somebody else
  member& from = *ledger_.find(result.member);
  from.idle_since = clock_.now();
  from.busy_seconds += result.busy_seconds;
  from.samples += done->batch->ids.size();
  // Where each is merged alone, those that have arrived before are merged before.
  from.lag =
      store_.version() - done->base_version + (setup_->exchange->merges_rounds() ? 0 : arrived_.size());
  order_deadline_.add(from.idle_since - done->granted_at);
  if (result.finite) {
    from.bad_results = 0;
    meter_.add(result, done->batch->ids.size(), store_.version(), setup_->loss->has_accuracy());
    arrived_.push_back({result.member, {result.gradient, static_cast<double>(done->batch->ids.size())}});
    // Before anything that may ask for the sampler's state: it must include these scores.
    if (!result.scores.empty() || !result.losses.empty())
      effects_.record_byproducts(done->batch, result.scores, result.losses, result.base_version);
  } else {
    reject(result, *done);
  }
}

void run_controller::parts_arrived(std::span<const gradient_part> parts) {
  for (const auto& part : parts) {
    member* from = ledger_.find(part.member);
    if (from == nullptr || !from->outstanding || from->outstanding->id != part.lease)
      continue; // the lease was given up
    from->outstanding->early = part.gradient;
    from->outstanding->final_from = part.begin;
  }
  if (setup_->exchange->merges_rounds())
    sum_ahead();
}

void run_controller::sum_ahead() {
  const std::size_t trained = setup_->net->parameters().trained_size();
  parts_.clear();
  for (const auto& m : ledger_.members()) {
    if (m.outstanding) {
      const auto& l = *m.outstanding;
      parts_.push_back({m.id, static_cast<double>(l.batch->ids.size()), l.early,
                        l.early.empty() ? trained : l.final_from});
      continue;
    }
    const auto at =
        std::find_if(arrived_.begin(), arrived_.end(), [&](const auto& a) { return a.member == m.id; });
    if (at == arrived_.end())
      return; // it may still get an order for this round
    parts_.push_back({m.id, at->gradient.samples, at->gradient.gradient, 0});
  }
  sum_.advance(parts_);
  parts_.clear();
}

void run_controller::merge_arrived() {
  if (arrived_.empty() || !setup_->exchange->merge_now(ledger_.view(draining())))
    return;
  const bool rounds = setup_->exchange->merges_rounds();
  early_orders observer(*this, rounds && beside_workers_);
  merge_observer* const early =
      (elastic_ && setup_->config.workers == 0) || beside_workers_ ? &observer : nullptr;
  if (rounds)
    merge_round(early);
  else
    merge_in_turn(early);
  merging_.clear();
  for (const auto& d : std::exchange(postponed_draws_, {}))
    draw(d.batches, d.run_fraction);
}

double run_controller::learning_rate_at(std::uint64_t samples) const {
  return setup_->rule->learning_rate() * setup_->learning_schedule->factor(progress(samples));
}

void run_controller::merge_round(merge_observer* observer) {
  // In the order of the members, not of arrival: the sum does not depend on who was faster.
  std::sort(arrived_.begin(), arrived_.end(),
            [](const auto& a, const auto& b) { return a.member < b.member; });
  std::uint64_t samples = 0;
  for (auto& a : std::exchange(arrived_, {})) {
    samples += static_cast<std::uint64_t>(a.gradient.samples);
    merging_.push_back(std::move(a.gradient));
  }
  store_.merge(merging_, learning_rate_at(samples_merged_), sum_.take(merging_), observer);
  samples_merged_ += samples;
}

void run_controller::merge_in_turn(merge_observer* observer) {
  rates_.clear();
  std::uint64_t samples = samples_merged_;
  for (auto& a : std::exchange(arrived_, {})) {
    rates_.push_back(learning_rate_at(samples));
    samples += static_cast<std::uint64_t>(a.gradient.samples);
    merging_.push_back(std::move(a.gradient));
  }
  store_.merge_in_turn(merging_, rates_, observer);
  samples_merged_ = samples;
}

void run_controller::reject(const train_result& result, const lease& done) {
  meter_.count_dropped();
  member& m = *ledger_.find(result.member);
  const auto& suspects = result.suspects;
  effects_.warn(fmt::format("{} returned a result that is not finite at step {} (lease {}){}; it was dropped",
                            m.name, store_.version(), done.id,
                            suspects.empty() ? "" : fmt::format(", samples {}", fmt::join(suspects, ", "))));
  if (++m.bad_results < bad_results_tolerated)
    return;
  const bool last = ledger_.members().size() == 1;
  if (last) {
    diverged_ = true;
    problem_ = fmt::format(
        "training diverged at step {}: {} returned {} results in a row that are not finite; a lower "
        "optimizer.learning_rate, gradient_clipping or a longer warm-up usually helps",
        store_.version(), m.name, bad_results_tolerated);
  }
  effects_.quarantine(m.id);
  lose(m.id, fmt::format("{} results in a row were not finite", bad_results_tolerated));
}

} // namespace triage
