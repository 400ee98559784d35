#include "actors/run_controller.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <thread>

namespace triage {

namespace {

constexpr std::size_t most_checkpoints_in_hand = 2; // one is being written, one waits for it

/// A merge of several gradients may use the cores of the workers who sent them, or all where none is here.
std::size_t merge_lanes(std::int64_t workers) {
  const std::size_t cores = std::max<std::size_t>(std::thread::hardware_concurrency(), 1);
  return workers == 0 ? cores : std::min(static_cast<std::size_t>(workers), cores);
}

/// The fewest samples that make the epochs of the run.
std::optional<std::uint64_t> budget_of(const run_setup& setup) {
  if (!setup.config.epochs)
    return std::nullopt;
  const auto size = static_cast<double>(setup.data.train.size);
  auto samples = static_cast<std::uint64_t>(*setup.config.epochs * size);
  while (static_cast<double>(samples) / size < *setup.config.epochs)
    ++samples;
  return samples;
}

} // namespace

run_controller::run_controller(std::shared_ptr<const run_setup> setup, const clock& source,
                               run_effects& effects, std::shared_ptr<fork_join> merge_threads)
    : setup_(std::move(setup)), clock_(source), effects_(effects),
      store_(setup_->merge_layout(), setup_->merge_rule(),
             setup_->mean_rule ? std::nullopt : setup_->config.gradient_clipping,
             merge_threads ? std::move(merge_threads)
                           : std::make_shared<fork_join>(merge_lanes(setup_->config.workers))),
      sum_(setup_->merge_layout().trained_size()), training_time_(source), local_(setup_->exchange->local()),
      period_(setup_->exchange->new_period()), evaluations_(setup_->config.evaluate_every_epochs),
      checkpoints_(setup_->config.checkpoint_every_epochs),
      stock_(
          make_batch_stock(setup_->data.train.size, static_cast<std::size_t>(setup_->config.batch_size), 0)),
      budget_(budget_of(*setup_)), best_(setup_->config.checkpoint_best),
      improved_(setup_->config.patience.metric, setup_->config.patience.min_change) {
  store_.initialise(setup_->seed());
  if (setup_->compression_down) {
    published_.emplace(*setup_->compression_down, setup_->net->parameters().size());
    published_->restart(current());
  }
}

void run_controller::enter(phase next) {
  phase_ = next;
  phase_since_ = clock_.now();
}

void run_controller::start() {
  enter(phase::training);
  first_checkpoint_due_ = store_.version() == 0 && samples_dispatched_ == 0;
  last_report_ = clock_.now();
  if (!first_checkpoint_due_)
    effects_.pause_scoring(false); // else the pause for that checkpoint ends with it
  request_batches();
  advance();
}

// -- events -------------------------------------------------------------------------------------------------

std::uint64_t run_controller::member_joined(std::string name, std::string node) {
  members_awaited_ -= std::min<std::size_t>(members_awaited_, 1);
  stock_->worker_joined(node);
  auto& m = ledger_.join(std::move(name), std::move(node));
  m.joined_at = m.idle_since = clock_.now();
  warn_of_few_shards();
  const auto id = m.id;
  request_batches();
  advance();
  return id;
}

void run_controller::member_not_started(const std::string& name, const std::string& reason) {
  members_awaited_ -= std::min<std::size_t>(members_awaited_, 1);
  effects_.warn(fmt::format("{} could not start: {}", name, reason));
  if (members_awaited_ == 0 && ledger_.members().empty() && !elastic_)
    fail(fmt::format("no worker could start; {}: {}", name, reason), true);
  advance();
}

void run_controller::member_lost(std::uint64_t member, const std::string& reason) {
  if (phase_ == phase::done || ledger_.find(member) == nullptr)
    return;
  lose(member, reason);
  merge_arrived();
  advance();
}

void run_controller::batches_arrived(const std::vector<shared_batch>& batches) {
  batches_requested_ -= std::min(batches_requested_, batches.size());
  for (const auto& b : batches)
    stock_->put(b);
  advance();
}

void run_controller::evaluation_arrived(const evaluation_figures& figures) {
  if (phase_ != phase::evaluating)
    return;
  figures_ = figures;
  effects_.report_evaluation(present_progress(false), figures);
  broken_ = !std::isfinite(figures.train_loss);
  if (broken_ && !ending())
    effects_.warn(
        fmt::format("the train loss is {} at step {}; no checkpoint is written until it is a number again",
                    figures.train_loss, store_.version()));
  check_target();
  follow_figures();
  collect_or_continue();
}

void run_controller::sampler_state_arrived(sampler_report report) {
  if (phase_ != phase::collecting)
    return;
  samples_scored_ = report.samples_scored;
  account_ = report.account;
  first_checkpoint_due_ = false;
  checkpoints_.passed(epochs(samples_dispatched_));
  if (diverged_)
    return finish(); // only the totals were wanted
  saved_state state = save();
  state.put_all("sampler", std::move(report.state));
  effects_.save_checkpoint(current(), std::move(state), std::exchange(best_checkpoint_due_, false));
  ++checkpoints_in_hand_;
  if (ending() || checkpoints_in_hand_ == most_checkpoints_in_hand)
    enter(phase::saving);
  else
    resume_training();
}

void run_controller::checkpoint_done(const std::string& path, const std::string& problem) {
  --checkpoints_in_hand_;
  if (problem.empty())
    last_checkpoint_ = path;
  else
    effects_.warn(fmt::format("checkpoint not written: {}", problem));
  if (phase_ != phase::saving)
    return;
  if (!ending())
    return resume_training();
  if (checkpoints_in_hand_ > 0)
    return; // an earlier one; the final one is still being written
  if (!problem.empty() && problem_.empty())
    problem_ = fmt::format("the final checkpoint could not be written: {}", problem);
  finish();
}

void run_controller::best_not_kept(const std::string& problem) {
  best_.forget(); // whatever comes next is better than none
  effects_.warn(fmt::format("the best state so far could not be kept: {}", problem));
}

void run_controller::fail(const std::string& problem, bool can_save) {
  if (phase_ == phase::done)
    return;
  if (problem_.empty())
    problem_ = problem;
  sampler_lost_ = sampler_lost_ || !can_save;
  if (phase_ == phase::evaluating)
    return collect_or_continue();
  if (phase_ == phase::saving || (phase_ == phase::collecting && sampler_lost_))
    return finish();
  advance();
}

void run_controller::break_off(const std::string& problem) {
  if (phase_ == phase::done)
    return;
  if (problem_.empty())
    problem_ = problem;
  store_.break_off(problem);
  finish();
}

void run_controller::stop() {
  stopping_ = true;
  advance();
}

// -- training -----------------------------------------------------------------------------------------------

void run_controller::advance() {
  if (phase_ == phase::training) {
    if (must_pause())
      enter(phase::draining);
    else
      dispatch();
  }
  if (phase_ == phase::draining && !ledger_.any_computing()) {
    merge_arrived();
    drained();
  }
}

bool run_controller::must_pause() {
  return ending() || (pause_due() && setup_->exchange->at_boundary(ledger_.view(false)));
}

void run_controller::dispatch() {
  if (members_awaited_ > 0 || !enough_members())
    return; // the first round is everybody's, however long their kernels take to build
  if (setup_->config.prefetch_batches == 0)
    request_batches();
  for (auto& m : ledger_.members())
    while (has_room(m))
      if (!order(m))
        break;
}

bool run_controller::has_room(const member& m) const {
  return m.outstanding.size() < setup_->exchange->orders_at_once();
}

bool run_controller::order(member& m) {
  if (phase_ != phase::training || stock_->samples() == 0 || ending())
    return false;
  const auto view = ledger_.view(false);
  if (!setup_->exchange->may_start({m.id, m.clock, !m.idle(), m.ordered()}, view))
    return false;
  if (pause_due() && setup_->exchange->at_boundary(view)) {
    enter(phase::draining);
    return false;
  }
  batch_list batches = batches_for(m, steps_of_round(m.ordered()));
  if (batches.empty())
    return false;
  training_time_.start();
  train_order out;
  if (local_) {
    double trained = static_cast<double>(plan_->samples); // by all workers, which are equally far
    for (const auto& b : batches) {
      out.learning_rates.push_back(learning_rate_at(static_cast<std::uint64_t>(trained)));
      trained += plan_->workers * static_cast<double>(b->ids.size());
    }
  }
  samples_dispatched_ += samples_of(batches);
  const auto& granted = ledger_.grant(m, store_.version(), std::move(batches), clock_.now());
  out.lease = granted.id;
  out.base = shared();
  out.batches = granted.batches;
  effects_.send_order(m.id, out);
  request_batches();
  return true;
}

std::size_t run_controller::local_steps() const {
  if (!local_)
    return 1;
  return static_cast<std::size_t>(period_ ? period_->steps() : local_->steps);
}

std::size_t run_controller::steps_of_round(std::uint64_t round) {
  if (!local_)
    return 1;
  if (!plan_ || round > plan_->round)
    plan_ = {round, local_steps(), samples_dispatched_, static_cast<double>(ledger_.members().size())};
  if (!budget_)
    return plan_->steps;
  // The budget of the run is met to the batch; the last round may be shorter.
  const std::uint64_t left = *budget_ - std::min(*budget_, samples_dispatched_);
  const auto size = static_cast<std::uint64_t>(setup_->config.batch_size);
  return std::clamp<std::size_t>((left + size - 1) / size, 1, plan_->steps);
}

void run_controller::lose(std::uint64_t id, const std::string& reason) {
  const std::string name = ledger_.find(id)->name;
  sum_.clear();
  stock_->worker_left(ledger_.find(id)->node);
  for (const auto& lost : ledger_.remove(id)) {
    samples_dispatched_ -= samples_of(lost.batches);
    stock_->put_back(lost.batches);
  }
  lost_members_.push_back(fmt::format("{}: {}", name, reason));
  effects_.warn(fmt::format("{} left the run: {}", name, reason));
  if (ledger_.members().empty() && members_awaited_ == 0 && problem_.empty() && !elastic_)
    problem_ = fmt::format("no worker is left; the last one, {}, left because: {}", name, reason);
}

// -- pauses and the end -------------------------------------------------------------------------------------

void run_controller::drained() {
  training_time_.stop();
  ledger_.align_clocks();
  effects_.pause_scoring(true);
  const double at = epochs(samples_dispatched_);
  const bool regular_end = ending() && problem_.empty() && !stopping_ && !starved_;
  const bool evaluate = problem_.empty() && (regular_end || evaluations_.due(at));
  evaluations_.passed(at);
  if (evaluate) {
    enter(phase::evaluating);
    effects_.evaluate(current());
  } else {
    collect_or_continue();
  }
}

void run_controller::collect_or_continue() {
  if (broken_ && ending() && problem_.empty())
    diverge(fmt::format("the train loss is {} at the last evaluation", figures_->train_loss));
  if (broken_ && !ending()) { // a checkpoint would make it the state to resume from
    checkpoints_.passed(epochs(samples_dispatched_));
    return resume_training();
  }
  if (ending() && sampler_lost_)
    return finish();
  if (ending() || first_checkpoint_due_ || best_checkpoint_due_ ||
      checkpoints_.due(epochs(samples_dispatched_))) {
    enter(phase::collecting);
    effects_.collect_sampler_state();
  } else {
    resume_training();
  }
}

void run_controller::resume_training() {
  enter(phase::training);
  effects_.pause_scoring(false);
  request_batches();
  advance();
}

void run_controller::finish() {
  enter(phase::done);
  effects_.finished(summarise());
}

void run_controller::check_target() {
  const auto& target = setup_->config.target;
  const auto value = figures_->find(target.metric);
  if (!value || !target.value || time_to_target_)
    return;
  if (grows_better(target.metric) ? *value < *target.value : !(*value <= *target.value))
    return;
  time_to_target_ = target_time{target.metric, *target.value, training_time_.seconds(), meter_.samples()};
  target_stops_ = target.stop;
}

void run_controller::follow_figures() {
  const double at = epochs(samples_dispatched_);
  best_checkpoint_due_ = best_.offer(*figures_, at, store_.version());
  improved_.offer(*figures_, at, store_.version());
  out_of_patience_ = patience_has_run_out();
}

/// Evaluations come up to a batch late, so half of their distance counts as nothing.
bool run_controller::patience_has_run_out() const {
  const auto& c = setup_->config;
  return c.patience.epochs &&
         improved_.epochs_without_better() >=
             *c.patience.epochs - 0.5 * std::min(c.evaluate_every_epochs, *c.patience.epochs);
}

bool run_controller::budget_spent() const {
  const auto& c = setup_->config;
  return (budget_ && samples_dispatched_ >= *budget_) ||
         (c.seconds && training_time_.seconds() >= *c.seconds);
}

bool run_controller::ending() const {
  return !problem_.empty() || stopping_ || starved_ || target_stops_ || out_of_patience_ || budget_spent();
}

bool run_controller::pause_due() const {
  const double at = epochs(samples_dispatched_);
  return first_checkpoint_due_ || evaluations_.due(at) || checkpoints_.due(at);
}

// -- figures ------------------------------------------------------------------------------------------------

double run_controller::epochs(std::uint64_t samples) const {
  return static_cast<double>(samples) / static_cast<double>(setup_->data.train.size);
}

training_progress run_controller::progress(std::uint64_t samples) const {
  return {epochs(samples), training_time_.seconds(), setup_->config.epochs, setup_->config.seconds};
}

} // namespace triage
