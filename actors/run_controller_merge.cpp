#include "actors/run_controller.hpp"
#include "core/protocol_sizes.hpp"
#include "nn/smallest_rate.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

// What a run_controller does with gradients: takes results, sums what is final of a round, merges.

namespace triage {

namespace {
constexpr int most_bad_in_a_row = 3;
constexpr std::size_t most_bad_of_recent = 3;

/// Momentum is kept in units of the learning rate, so that it survives a change of that without a jump.
parameter_store::local_merge merge_of(const local_round& round, double rate) {
  if (round.momentum == 0.0)
    return {round.sends_position, 1.0, round.merged_share()};
  return {round.sends_position, rate > smallest_rate ? round.merged_share() / rate : 0.0, rate};
}
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
  const std::size_t at_once = setup_->exchange->merges_rounds() ? results.size() : most_merged_in_turn;
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
  const auto done = ledger_.settle(result.member, result.lease, clock_.now());
  if (!done)
    return; // late or repeated: the lease was given up, its batches belong to somebody else
  member& from = *ledger_.find(result.member);
  const std::size_t samples = samples_of(done->batches);
  from.busy_seconds += result.busy_seconds;
  from.samples += samples;
  // Where each is merged alone, those that have arrived before are merged before.
  from.lag =
      store_.version() - done->base_version + (setup_->exchange->merges_rounds() ? 0 : arrived_.size());
  order_watch_.answered_after(from.idle_since - done->granted_at);
  from.record.add(result.finite);
  if (!result.finite)
    return reject(result, *done);
  if (last_good_node_ != from.node)
    last_good_node_ = from.node;
  meter_.add(result, samples, store_.version(), setup_->loss->has_accuracy());
  arrived_.push_back({result.member,
                      from.clock - 1,
                      {result.gradient, static_cast<double>(samples)},
                      result.weighted_loss,
                      {done->batches, result.scores, result.losses, result.base_version}});
  // Of rounds when they are merged, in the order of the members: what the sampler knows at a draw must not
  // depend on who was faster.
  if (!setup_->exchange->merges_rounds())
    record(std::exchange(arrived_.back().told, {}));
}

void run_controller::record(const byproducts_of& trained) {
  if (trained.scores.empty() && trained.losses.empty())
    return;
  std::size_t at = 0;
  const auto part = [&](const std::vector<float>& all, std::size_t size) {
    if (all.size() < at + size)
      return std::vector<float>();
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(at);
    return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(size));
  };
  for (const auto& b : trained.batches) {
    // What stands in for a projection is larger than any: the points would come first for no reason.
    const bool lost_direction =
        b->resumed && setup_->point_score && need_direction(setup_->point_score->needs());
    effects_.record_byproducts(b, lost_direction ? std::vector<float>() : part(trained.scores, b->ids.size()),
                               part(trained.losses, b->ids.size()), trained.version);
    at += b->ids.size();
  }
}

void run_controller::parts_arrived(std::span<const gradient_part> parts) {
  for (const auto& part : parts) {
    member* from = ledger_.find(part.member);
    lease* const about = from == nullptr ? nullptr : from->find(part.lease);
    if (about == nullptr)
      continue; // the lease was given up
    about->heard_at = clock_.now();
    about->early = part.gradient;
    about->final_from = part.begin;
  }
  if (setup_->exchange->merges_rounds() && setup_->exchange->orders_at_once() == 1)
    sum_ahead();
}

void run_controller::sum_ahead() {
  const std::size_t trained = setup_->merge_layout().trained_size();
  parts_.clear();
  for (const auto& m : ledger_.members()) {
    if (!m.idle()) {
      const auto& l = m.outstanding.front();
      parts_.push_back({m.id, static_cast<double>(samples_of(l.batches)), l.early,
                        l.early.empty() ? trained : l.final_from});
      continue;
    }
    const auto at =
        std::find_if(arrived_.begin(), arrived_.end(), [&](const auto& a) { return a.member == m.id; });
    if (at == arrived_.end())
      return; // it may still get an order for this round
    parts_.push_back({m.id, at->gradient.samples, at->gradient.gradient, 0});
  }
  const bool early = merges_early() && !local_;
  if (early || parts_.size() > 1) // a sum of one is of no other use
    sum_.advance(parts_);
  parts_.clear();
  if (early)
    merge_ahead();
}

bool run_controller::merges_early() const {
  // Compressed parameters are known when all of them are.
  return ((elastic_ && setup_->config.workers == 0) || beside_workers_) && !published_;
}

void run_controller::merge_ahead() {
  note_epoch();
  const auto known = sum_.known();
  if (foreseen_.round != known.round)
    foreseen_ = {known.round, learning_rate_at(samples_merged_)};
  if (store_.merge_ahead(known, foreseen_.learning_rate))
    effects_.parameters_merged_ahead(store_.ahead());
}

std::uint64_t run_controller::oldest_round() const {
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  for (const auto& a : arrived_)
    oldest = std::min(oldest, a.round);
  return oldest;
}

void run_controller::note_epoch() {
  const auto epoch = samples_merged_ / setup_->data.train.size;
  if (std::exchange(epoch_, epoch) != epoch)
    store_.begin_epoch();
}

void run_controller::merge_arrived() {
  const bool rounds = setup_->exchange->merges_rounds();
  while (!arrived_.empty() && setup_->exchange->merge_now(ledger_.view(draining(), oldest_round()))) {
    note_epoch();
    early_orders observer(*this, rounds && beside_workers_);
    merge_observer* const early = merges_early() ? &observer : nullptr;
    if (rounds)
      merge_round(early);
    else
      merge_in_turn(early);
    merging_.clear();
    if (published_)
      published_->follow(current());
    for (const auto& d : std::exchange(postponed_draws_, {}))
      draw(d.batches, d.run_fraction);
  }
}

double run_controller::learning_rate_at(std::uint64_t samples) const {
  return setup_->rule->learning_rate() * setup_->learning_schedule->factor(progress(samples));
}

void run_controller::merge_round(merge_observer* observer) {
  // In the order of the members, not of arrival: the sum does not depend on who was faster.
  std::sort(arrived_.begin(), arrived_.end(), [](const auto& a, const auto& b) {
    return a.round != b.round ? a.round < b.round : a.member < b.member;
  });
  const auto of_later = std::find_if(arrived_.begin(), arrived_.end(),
                                     [&](const auto& a) { return a.round != arrived_.front().round; });
  std::uint64_t samples = 0;
  double loss = 0.0;
  for (auto a = arrived_.begin(); a != of_later; ++a) {
    samples += static_cast<std::uint64_t>(a->gradient.samples);
    loss += a->weighted_loss;
    record(a->told); // before orders go out, with which more is drawn
    merging_.push_back(std::move(a->gradient));
  }
  arrived_.erase(arrived_.begin(), of_later);
  double rate = learning_rate_at(samples_merged_);
  if (local_ &&
      !(rate > smallest_rate)) // a warm-up begins at zero, where its first round would count for nothing
    rate = learning_rate_at(samples_merged_ + samples / 2);
  if (period_ && period_->merged(loss / static_cast<double>(samples), rate, training_time_.seconds()))
    effects_.remark(fmt::format("workers now take {} local steps a round: the loss is {:.3g} of the first",
                                period_->steps(), period_->loss_ratio()));
  const auto ahead = sum_.take(merging_);
  if (!ahead.mean.empty() && ahead.round == foreseen_.round)
    rate = foreseen_.learning_rate;
  if (local_)
    store_.merge(merging_, merge_of(*local_, rate), ahead, observer);
  else
    store_.merge(merging_, rate, ahead, observer);
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

void run_controller::diverge(const std::string& how) {
  diverged_ = true;
  const char* const help = store_.version() == 0
                               ? "nothing was learned yet, so look at the data: values or targets may be too "
                                 "large for single precision"
                               : "a lower optimizer.learning_rate, gradient_clipping or a longer warm-up "
                                 "usually helps";
  problem_ = fmt::format("training diverged at step {}: {}; {}", store_.version(), how, help);
}

void run_controller::reject(const train_result& result, const lease& done) {
  meter_.count_dropped();
  member& m = *ledger_.find(result.member);
  const auto& suspects = result.suspects;
  effects_.warn(fmt::format("{} returned a result that is not finite at step {} (lease {}){}; it was dropped",
                            m.name, store_.version(), done.id,
                            suspects.empty() ? "" : fmt::format(", samples {}", fmt::join(suspects, ", "))));
  const bool in_a_row = m.record.bad_in_a_row() >= most_bad_in_a_row;
  if (!in_a_row && !stands_out(m))
    return;
  const auto how = in_a_row ? fmt::format("{} results in a row were not finite", most_bad_in_a_row)
                            : fmt::format("{} of its last {} results were not finite, those of others are",
                                          m.record.recent_bad(), m.record.recent());
  // Nobody else is here to tell whether the parameters are at fault or the member. Where another node has
  // trained them with success and this one never has, it is the member.
  const bool never_good = m.record.good() == 0 && last_good_node_ && *last_good_node_ != m.node;
  if (ledger_.members().size() == 1 && !never_good)
    diverge(fmt::format("{}: {}", m.name, how));
  effects_.quarantine(m.id);
  lose(m.id, how);
}

bool run_controller::stands_out(const member& m) const {
  std::size_t bad = 0;
  std::size_t results = 0;
  for (const auto& other : ledger_.members())
    if (other.node != m.node) {
      bad += other.record.recent_bad();
      results += other.record.recent();
    }
  return !m.node.empty() && m.record.recent_bad() > most_bad_of_recent && results >= result_record::window &&
         100 * bad <= results;
}

} // namespace triage
