#include "actors/scoring_desk.hpp"

#include "sampling/sharding.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace triage {

namespace {
constexpr int bad_orders_tolerated = 3;
constexpr double fewest_seconds = 0.5; ///< of each way before their speeds are compared
} // namespace

scoring_desk::scoring_desk(const run_setup& setup, const clock& time)
    : source_(setup.new_sampling(), setup.data.train.size, static_cast<std::size_t>(setup.config.batch_size),
              setup.seed(), {setup.data.train.labels, static_cast<std::size_t>(setup.data.train.classes)}),
      time_(time), points_(setup.data.train.size), parameters_(setup.net->parameters().size()),
      batch_size_(static_cast<std::size_t>(setup.config.batch_size)),
      shards_(static_cast<std::size_t>(setup.config.shards)),
      first_steps_(static_cast<std::uint64_t>(
          setup.config.batch_size * (setup.config.prefetch_batches + 2) *
          std::max({setup.config.workers, setup.config.min_workers, std::int64_t{1}}))),
      order_size_(static_cast<std::size_t>(setup.config.scoring_batch_size)),
      wants_estimators_(setup.uses_estimators),
      expected_estimators_(setup.uses_estimators ? static_cast<std::size_t>(setup.config.estimators) : 0) {
  if (setup.config.ledger)
    ledger_.emplace(points_);
  source_.set_estimators(expected_estimators_);
}

result<void> scoring_desk::load(const saved_state& state) {
  if (state.entries().empty())
    return {};
  const auto counts = state.get<std::uint64_t>("counts");
  const auto seconds = state.get<double>("seconds");
  if (!counts.ok())
    return counts.error();
  if (!seconds.ok())
    return seconds.error();
  if (counts->size() != 2 || seconds->size() != 5)
    return data_error("the saved sampler counts have an unexpected length");
  version_ = (*counts)[0];
  samples_scored_ = (*counts)[1];
  scoring_seconds_ = (*seconds)[0];
  uniform_ = {(*seconds)[1], (*seconds)[2]};
  prioritized_ = {(*seconds)[3], (*seconds)[4]};
  if (ledger_) {
    if (state.find("ledger/trained") == nullptr)
      add_remark("the checkpoint has no ledger: it counts from here on");
    else if (auto loaded = ledger_->load(state.below("ledger")); !loaded.ok())
      return loaded;
  }
  if (auto loaded = source_.load(state.below("source")); !loaded.ok())
    return loaded;
  if (const auto size = source_.mean_gradient_size(); size != 0 && size != parameters_)
    return data_error(
        fmt::format("the saved mean gradient has {} values, the model {} parameters", size, parameters_));
  drawn_before_ = source_.samples_drawn();
  first_steps_ += drawn_before_; // the kernels are built anew
  return {};
}

saved_state scoring_desk::save() const {
  saved_state state;
  state.put("counts", std::vector<std::uint64_t>{version_, samples_scored_});
  state.put("seconds", std::vector<double>{scoring_seconds_, uniform_.seconds, uniform_.samples,
                                           prioritized_.seconds, prioritized_.samples});
  if (ledger_)
    state.put_all("ledger", ledger_->save());
  state.put_all("source", source_.save());
  return state;
}

std::string scoring_desk::take_remark() {
  add_remark(source_.take_remark());
  return std::exchange(remark_, {});
}

void scoring_desk::add_remark(const std::string& more) {
  if (!more.empty())
    remark_ += (remark_.empty() ? "" : "; ") + more;
}

// -- batches ------------------------------------------------------------------------------------------------

void scoring_desk::request(std::size_t batches, double run_fraction, std::uint64_t version) {
  measure_speed();
  batches_wanted_ += batches;
  run_fraction_ = run_fraction;
  version_ = std::max(version_, version);
}

/// The time between two requests counts for the way in which points are chosen then.
void scoring_desk::measure_speed() {
  const double now = time_.now();
  // The first step builds kernels, which says nothing about how fast either way is.
  // Uniform training is as fast as it is while nobody takes cores for scores.
  const bool disturbed = std::exchange(measured_meanwhile_, measuring());
  if (last_draw_ && drawn_before_ >= first_steps_ && (was_prioritizing_ || !disturbed)) {
    pace& p = was_prioritizing_ ? prioritized_ : uniform_;
    p.seconds += now - *last_draw_;
    p.samples += static_cast<double>(source_.samples_drawn() - drawn_before_);
  }
  last_draw_ = now;
  drawn_before_ = source_.samples_drawn();
  was_prioritizing_ = source_.prioritizing();
  if (speeds_known())
    source_.observe_speed(std::min(prioritized_.samples_per_second() / uniform_.samples_per_second(), 1.0));
}

bool scoring_desk::measuring() const {
  return std::any_of(busy_.begin(), busy_.end(),
                     [this](const auto& r) { return r.open() && !is_far(r.estimator); });
}

bool scoring_desk::is_far(std::uint64_t estimator) const {
  return std::find(far_.begin(), far_.end(), estimator) != far_.end();
}

std::optional<drawn_batch> scoring_desk::next_batch() {
  if (batches_wanted_ == 0)
    return std::nullopt;
  drawn_batch out;
  if (!source_.draw(run_fraction_, version_, out))
    return std::nullopt;
  if (wants_estimators_ && expected_estimators_ == 0 && source_.prioritizing() &&
      !std::exchange(told_nobody_measures_, true))
    add_remark(
        "nobody measures priorities as this sampling asks for: points are chosen by what is known of them "
        "from training; let a node join with --role estimator, or give runtime.estimators");
  --batches_wanted_;
  return out;
}

bool scoring_desk::speeds_known() const {
  return uniform_.seconds >= fewest_seconds && prioritized_.seconds >= fewest_seconds;
}

void scoring_desk::pause(bool paused) {
  paused_ = paused;
  last_draw_.reset();
  drawn_before_ = source_.samples_drawn();
}

void scoring_desk::take_byproducts(const drawn_batch& batch, std::span<const float> scores,
                                   std::span<const float> losses, std::uint64_t version) {
  version_ = std::max(version_, version);
  if (!scores.empty())
    source_.record_byproducts(batch, scores, version);
  source_.observe_losses(batch, losses);
  if (ledger_)
    ledger_->trained(batch.ids, losses);
}

// -- estimators ---------------------------------------------------------------------------------------------

scoring_desk::record& scoring_desk::record_of(std::uint64_t estimator) {
  const auto known =
      std::find_if(busy_.begin(), busy_.end(), [&](const auto& r) { return r.estimator == estimator; });
  return known != busy_.end() ? *known : *busy_.insert(busy_.end(), record{estimator, 0, {}, 0});
}

bool scoring_desk::take_measured(std::uint64_t estimator, std::span<const float> scores,
                                 std::span<const float> gradient, std::uint64_t version,
                                 double busy_seconds) {
  record& r = record_of(estimator);
  samples_scored_ += r.ids.size();
  scoring_seconds_ += busy_seconds;
  if (ledger_)
    ledger_->scored(r.ids);
  const bool bad = scores.size() != r.ids.size() ||
                   !std::all_of(scores.begin(), scores.end(), [](float s) { return std::isfinite(s); });
  // As long as a full order would have taken: a small one must not make the next full one late.
  if (!bad && r.open())
    order_watch_.answered_after((time_.now() - r.granted_at) * static_cast<double>(order_size_) /
                                static_cast<double>(r.ids.size()));
  r.bad_orders = bad ? r.bad_orders + 1 : 0;
  if (scores.size() == r.ids.size())
    source_.order_measured(r.ticket, scores, version, gradient);
  else
    source_.order_lost(r.ticket);
  r.ids.clear();
  if (r.bad_orders >= bad_orders_tolerated)
    return false;
  idle_.push_back(estimator);
  return true;
}

void scoring_desk::estimator_idle(std::uint64_t estimator) {
  idle_.push_back(estimator);
}

void scoring_desk::estimator_lost(std::uint64_t estimator) {
  std::erase(idle_, estimator);
  source_.order_lost(record_of(estimator).ticket); // harmless when it was not at work
  std::erase_if(busy_, [&](const auto& r) { return r.estimator == estimator; });
  estimator_missing();
}

scoring_desk::open_order scoring_desk::look_at(const record& r) const {
  return {r.estimator, r.ids.size(), time_.now() - r.granted_at};
}

std::vector<scoring_desk::open_order> scoring_desk::open_orders() const {
  std::vector<open_order> out;
  for (const auto& r : busy_)
    if (r.open())
      out.push_back(look_at(r));
  return out;
}

std::vector<scoring_desk::open_order> scoring_desk::newly_late() {
  std::vector<open_order> out;
  for (auto& r : busy_)
    if (r.open() && !r.called_late && order_watch_.is_late(time_.now() - r.granted_at)) {
      r.called_late = true;
      out.push_back(look_at(r));
    }
  return out;
}

std::vector<scoring_desk::open_order> scoring_desk::overdue() {
  auto out = open_orders();
  std::erase_if(out, [&](const auto& o) { return !is_far(o.estimator) || !order_watch_.is_over(o.seconds); });
  if (!out.empty())
    order_watch_.gave_up();
  return out;
}

void scoring_desk::forgive(double seconds) {
  for (auto& r : busy_)
    r.granted_at = std::min(time_.now(), r.granted_at + seconds);
}

std::optional<double> scoring_desk::usual_seconds() const {
  return order_watch_.known() ? std::optional(order_watch_.usual_seconds()) : std::nullopt;
}

void scoring_desk::estimator_joined(std::uint64_t estimator) {
  far_.push_back(estimator);
  source_.set_estimators(++expected_estimators_);
}

void scoring_desk::estimator_missing() {
  expected_estimators_ -= std::min<std::size_t>(expected_estimators_, 1);
  source_.set_estimators(expected_estimators_);
}

std::optional<scoring_desk::assignment> scoring_desk::next_assignment() {
  if (paused_ || idle_.empty() || (uniform_.seconds < fewest_seconds && source_.wants_uniform_speed()))
    return std::nullopt;
  assignment out;
  out.order = source_.next_order(order_size_, version_, versions_per_epoch());
  if (out.order.ids.empty())
    return std::nullopt;
  out.estimator = idle_.back();
  idle_.pop_back();
  record& r = record_of(out.estimator);
  r.ticket = out.order.ticket;
  r.ids = out.order.ids;
  r.granted_at = time_.now();
  r.called_late = false;
  measured_meanwhile_ = measured_meanwhile_ || !is_far(r.estimator);
  return out;
}

double scoring_desk::versions_per_epoch() const {
  const double epochs = static_cast<double>(source_.samples_drawn()) / static_cast<double>(points_);
  if (version_ == 0 || epochs <= 0.0)
    return static_cast<double>(points_) / static_cast<double>(batch_size_);
  return static_cast<double>(version_) / epochs;
}

std::vector<double> scoring_desk::shard_mass() const {
  if (shards_ == 0)
    return {};
  const sharding points(points_, shards_);
  std::vector<double> mass(shards_);
  double total = 0.0;
  for (std::uint32_t id = 0; id < points_; ++id) {
    const auto priority = static_cast<double>(source_.priorities().value(id));
    mass[points.shard_of(id)] += priority;
    total += priority;
  }
  for (auto& m : mass)
    m /= total;
  return mass;
}

prioritization_account scoring_desk::account() const {
  const auto f = source_.figures(version_);
  prioritization_account a;
  a.prioritized = f.prioritized;
  a.samples_drawn = f.samples_drawn;
  a.samples_prioritized = f.samples_prioritized;
  a.scoring_seconds = scoring_seconds_;
  a.gain = f.measured_gain;
  a.unbiased = f.unbiased;
  a.prioritized_speed = prioritized_.samples_per_second();
  if (speeds_known())
    a.uniform_speed = uniform_.samples_per_second();
  return a;
}

} // namespace triage
