#include "sampling/sampling_source.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace triage {

namespace {

constexpr std::size_t ahead = 16; ///< points of a batch lie anywhere in the table: their memory is asked for
/// While scores decide nothing, one point is measured for so many that are trained: enough for a closed gate
/// to see when they begin to promise something.
constexpr std::uint64_t trained_a_measurement_at_rest = 32;

constexpr std::string_view warm_up = "warm-up";
constexpr std::string_view uniform_tail = "uniform tail";
constexpr std::string_view guarded = "guarded";
constexpr std::string_view gated_off = "gated off";

} // namespace

sampling_source::sampling_source(sampling_description description, std::size_t points, std::size_t batch_size,
                                 std::uint64_t seed, const point_classes& classes)
    : description_(std::move(description)),
      priorities_(points, description_.options.floor, description_.selector->uses_ages(),
                  std::move(description_.history)),
      batch_size_(batch_size), random_(seed, rng_purpose::sampling), classes_(classes),
      drawn_by_class_(classes.known() ? classes.classes : 0) {
  description_.options.guard.start(points, classes);
  order_.start(points);
  description_.selector->start(points);
  description_.selector->know_classes(classes);
  description_.refresh->start(points);
  direction_.set_rule(description_.options.mean_gradient_rule);
  if (description_.options.renewed_gradients == "add")
    direction_.keep_renewed();
}

sampling_progress sampling_source::progress(double run_fraction) const {
  return {static_cast<double>(samples_drawn_) / static_cast<double>(priorities_.size()), run_fraction};
}

// -- plans --------------------------------------------------------------------------------------------------

void sampling_source::look_at_gate(std::uint64_t version) {
  auto& gate = description_.options.gate;
  const double epochs = progress(0.0).epochs;
  if (description_.options.guard.due(epochs))
    description_.options.guard.look(epochs);
  if (!gate.due(epochs))
    return;
  const priority_view view(priorities_, version);
  gate.look({epochs, description_.selector->potential_gain(view), speed_, gain_.take_offer()});
}

std::string sampling_source::reason_for_uniform(double run_fraction) {
  const auto& o = description_.options;
  if (!description_.selector->uses_priorities())
    return "uniform";
  if (progress(run_fraction).epochs < *o.warm_epochs)
    return std::string(warm_up);
  const double tail = 1.0 - *o.tail_uniform_fraction;
  if (run_fraction >= tail)
    return std::string(uniform_tail);
  if (o.guard.closes())
    return std::string(guarded);
  if (!o.gate.open())
    return std::string(gated_off);
  if (o.anneal_fraction > 0.0) {
    const double uniform_share = (run_fraction - (tail - o.anneal_fraction)) / o.anneal_fraction;
    // Thrown once for a plan, however often it is tried: one that waits for scores would lose in the end.
    if (uniform_share > 0.0 && !annealed_)
      annealed_ = random_.uniform() < uniform_share;
    if (annealed_.value_or(false))
      return "annealed";
  }
  return {};
}

/// Takes the next stretch of the order, or the oldest pool. False: that pool is still being measured.
bool sampling_source::take_candidates(candidate_pools::pool& out) {
  if (pools_.size() > 0) {
    if (estimators_ == 0)
      pools_.give_up_waiting();
    if (!pools_.front_ready())
      return false;
    out = pools_.take_front();
    return true;
  }
  order_.begin_pass_if_needed(random_);
  const std::size_t wanted = description_.selector->candidates(batch_size_, priorities_.size());
  const auto ids = order_.take(std::min(wanted, order_.left()));
  out.ids.assign(ids.begin(), ids.end());
  out.ends_pass = order_.left() == 0;
  return true;
}

void sampling_source::fill_pools() {
  const auto ahead = description_.refresh->pools_ahead();
  if (!ahead || estimators_ == 0)
    return;
  const std::size_t wanted = description_.selector->candidates(batch_size_, priorities_.size());
  while (pools_.size() < std::max<std::size_t>(*ahead, 1)) {
    order_.begin_pass_if_needed(random_);
    const auto ids = order_.take(std::min(wanted, order_.left()));
    pools_.add(ids, order_.left() == 0);
  }
}

void sampling_source::pass_over_suspects(std::vector<std::uint32_t>& ids) {
  const auto& guard = description_.options.guard;
  if (!guard.passes_over())
    return;
  std::erase_if(ids,
                [&](auto id) { return guard.suspect(id) && random_.uniform() >= guard.revisit_share(); });
}

/// A stretch of the order as it is: of a pool that has already been taken from it, or of one batch.
void sampling_source::keep_order(const std::string& phase) {
  phase_ = phase;
  planned_by_priority_ = false;
  if (pools_.size() > 0) {
    auto pool = pools_.take_front();
    plan_.ids = std::move(pool.ids);
    ends_pass_ = pool.ends_pass;
  } else {
    order_.begin_pass_if_needed(random_);
    const auto ids = order_.take(std::min(batch_size_, order_.left()));
    plan_.ids.assign(ids.begin(), ids.end());
    ends_pass_ = order_.left() == 0;
  }
  pass_over_suspects(plan_.ids);
  plan_.weights.assign(plan_.ids.size(), 1.0F);
}

/// False: it has to wait for scores.
bool sampling_source::make_plan(double run_fraction, std::uint64_t version) {
  auto& selector = *description_.selector;
  const auto p = progress(run_fraction);
  look_at_gate(version);
  if (const auto reason = reason_for_uniform(run_fraction); !reason.empty()) {
    plan_.clear();
    next_ = 0;
    annealed_.reset();
    keep_order(reason);
    return true;
  }
  phase_ = "waiting for scores"; // unless they are there
  if (estimators_ > 0 && description_.refresh->holds_back(refresh_state(version, 1.0)))
    return false;
  candidate_pools::pool& pool = candidates_;
  pool.ids.clear();
  pool.ends_pass = false;
  if (selector.candidates(batch_size_, priorities_.size()) > 0) {
    if (pools_.size() == 0)
      fill_pools();
    if (!take_candidates(pool))
      return false;
    if (description_.refresh->pools_ahead().value_or(0) > 0)
      fill_pools();
  }
  annealed_.reset();
  const bool among_all = pool.ids.empty();
  pass_over_suspects(pool.ids);
  direction_.commit(priorities_.size());
  plan_.clear();
  next_ = 0;
  ends_pass_ = pool.ends_pass;
  const priority_view view(priorities_, version);
  if (among_all || !pool.ids.empty())
    selector.plan({pool.ids, view, p, batch_size_}, random_, plan_);
  // A plan that keeps everything as it is, is the uniform order.
  planned_by_priority_ =
      plan_.ids.size() != pool.ids.size() ||
      std::any_of(plan_.weights.begin(), plan_.weights.end(), [](float w) { return w != 1.0F; });
  phase_ = planned_by_priority_ ? "prioritized" : "uniform";
  return true;
}

bool sampling_source::draw(double run_fraction, std::uint64_t version, drawn_batch& out) {
  const auto full = [&] {
    if (partial_.ids.size() >= batch_size_)
      return true;
    // A pass ends with a smaller batch in uniform order; after a plan only when half of one is there.
    return next_ == plan_.ids.size() && ends_pass_ &&
           (partial_by_priority_ ? 2 * partial_.ids.size() >= batch_size_ : !partial_.ids.empty());
  };
  while (!full()) {
    if (next_ == plan_.ids.size()) {
      if (!make_plan(run_fraction, version))
        return false;
      continue;
    }
    const std::size_t n = std::min(batch_size_ - partial_.ids.size(), plan_.ids.size() - next_);
    partial_by_priority_ = planned_by_priority_;
    // A batch of several plans knows its frequencies when all of them do.
    const bool known = partial_.frequencies.size() == partial_.ids.size() && !plan_.frequencies.empty();
    partial_.reserve(batch_size_, known);
    partial_.add(plan_, next_, n, known);
    if (planned_by_priority_)
      samples_prioritized_ += n;
    next_ += n;
  }
  const double epochs = progress(run_fraction).epochs;
  out.ids = std::move(partial_.ids);
  out.weights = std::move(partial_.weights);
  out.frequencies = std::move(partial_.frequencies);
  if (out.frequencies.size() != out.ids.size())
    out.frequencies.clear();
  out.direction = direction_.direction();
  if (partial_by_priority_)
    out.added_gradient = direction_.renewed();
  partial_.clear();
  samples_drawn_ += out.ids.size();
  if (at_rest())
    drawn_at_rest_ += out.ids.size();
  if (!drawn_by_class_.empty())
    for (const auto id : out.ids)
      ++drawn_by_class_[classes_.of(id)];
  if (description_.selector->uses_ages())
    for (std::size_t i = 0; i < out.ids.size(); ++i) {
      if (i + ahead < out.ids.size())
        priorities_.prefetch(out.ids[i + ahead]);
      priorities_.mark_trained(out.ids[i], epochs);
    }
  return true;
}

// -- scores -------------------------------------------------------------------------------------------------

void sampling_source::record(std::span<const std::uint32_t> ids, std::span<const float> scores,
                             std::uint64_t version) {
  const auto fetch = [&](std::size_t i) {
    if (i >= ids.size())
      return;
    priorities_.prefetch(ids[i]);
    description_.selector->priority_will_change(ids[i]);
  };
  for (std::size_t i = 0; i < ahead; ++i)
    fetch(i);
  for (std::size_t i = 0; i < ids.size(); ++i, fetch(i + ahead - 1))
    if (priorities_.record(ids[i], scores[i], version))
      description_.selector->priority_changed(ids[i], priorities_.value(ids[i]));
}

void sampling_source::record_byproducts(const drawn_batch& batch, std::span<const float> scores,
                                        std::uint64_t version) {
  record(batch.ids, scores, version);
  if (!batch.frequencies.empty() && description_.score && description_.score->is_gradient_size())
    gain_.add(batch.frequencies, batch.weights, scores);
}

void sampling_source::observe_losses(const drawn_batch& batch, std::span<const float> losses) {
  description_.options.guard.observe(batch.ids, losses);
}

std::string sampling_source::take_remark() {
  auto& o = description_.options;
  auto remark = std::exchange(remark_, {});
  for (const auto& more : {o.guard.take_reason(), o.gate.take_reason()})
    if (!more.empty())
      remark += (remark.empty() ? "" : "; ") + more;
  return remark;
}

refresh_request sampling_source::refresh_state(std::uint64_t version, double versions_per_epoch) const {
  // What is trained while estimators rest is not owed to them, but for the little that they may do then.
  const auto forgiven = drawn_at_rest_ - drawn_at_rest_ / trained_a_measurement_at_rest;
  return {priorities_, version, versions_per_epoch, samples_drawn_ - forgiven, samples_measured_};
}

bool sampling_source::at_rest() const {
  // A gate that knows nothing yet is closed too, and wants to be told.
  const bool decided = phase_ == gated_off && description_.options.gate.worth();
  return decided || phase_ == guarded || phase_ == uniform_tail;
}

bool sampling_source::wants_uniform_speed() const {
  const auto& o = description_.options;
  return o.gate.enabled() && o.gate.uses_speed() &&
         (phase_ == warm_up || phase_ == gated_off || phase_ == guarded);
}

refresh_order sampling_source::next_order(std::size_t count, std::uint64_t version,
                                          double versions_per_epoch) {
  if (phase_ == uniform_tail ||
      (at_rest() && measured_at_rest_ >= drawn_at_rest_ / trained_a_measurement_at_rest))
    return {};
  open_order order;
  if (!lost_.empty()) {
    auto& lost = lost_.front();
    const auto n = static_cast<std::ptrdiff_t>(std::min(count, lost.ids.size()));
    order = {{lost.ids.begin(), lost.ids.begin() + n}, lost.pool};
    lost.ids.erase(lost.ids.begin(), lost.ids.begin() + n);
    if (lost.ids.empty())
      lost_.pop_front();
  } else {
    order.pool = pools_.next(count, order.ids);
    if (!order.pool)
      description_.refresh->next(count, refresh_state(version, versions_per_epoch), order.ids);
  }
  if (order.ids.empty())
    return {};
  if (at_rest())
    measured_at_rest_ += order.ids.size();
  const auto ticket = next_ticket_++;
  refresh_order out{ticket, order.ids, direction_.direction()};
  orders_.emplace(ticket, std::move(order));
  return out;
}

void sampling_source::order_measured(std::uint64_t ticket, std::span<const float> scores,
                                     std::uint64_t version, std::span<const float> gradient) {
  const auto at = orders_.find(ticket);
  if (at == orders_.end())
    return;
  const open_order order = std::move(at->second);
  orders_.erase(at);
  record(order.ids, scores, version);
  direction_.add(gradient, order.ids.size());
  if (order.pool)
    pools_.arrived(*order.pool, order.ids.size());
  else
    samples_measured_ += order.ids.size();
}

void sampling_source::order_lost(std::uint64_t ticket) {
  const auto at = orders_.find(ticket);
  if (at == orders_.end())
    return;
  lost_.push_back(std::move(at->second));
  orders_.erase(at);
}

sampling_figures sampling_source::figures(std::uint64_t version) const {
  sampling_figures f;
  f.prioritized = description_.selector->uses_priorities();
  f.selector = description_.selector->figures();
  f.selector.phase = phase_;
  if (!planned_by_priority_)
    f.selector.kappa = 1.0;
  f.rejected_scores = priorities_.rejected();
  f.samples_drawn = samples_drawn_;
  f.samples_prioritized = samples_prioritized_;
  f.drawn_by_class = drawn_by_class_;
  f.measured_gain = gain_.gain();
  f.unbiased = description_.selector->unbiased();
  f.gate_worth = description_.options.gate.worth();
  f.suspect_share = description_.options.guard.suspect_share();
  f.doubt_persistence = description_.options.guard.persistence();
  if (f.prioritized) {
    f.staleness = priorities_.staleness(version);
    f.effective_sample_share = priorities_.effective_sample_share();
  }
  return f;
}

} // namespace triage
