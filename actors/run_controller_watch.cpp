#include "actors/run_controller.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

// What a run_controller does about time that passes without anything happening, and what it says when asked
// what it waits for.

namespace triage {

void run_controller::open_to_nodes() {
  elastic_ = true;
  if (setup_->config.shards > 0)
    keep_shards();
}

bool run_controller::enough_members() const {
  return !elastic_ || ledger_.members().size() >= static_cast<std::size_t>(setup_->config.min_workers);
}

void run_controller::tick(double stalled) {
  if (!elastic_ || phase_ == phase::done)
    return;
  if (stalled > 0.0) {
    for (auto& m : ledger_.members())
      for (auto& l : m.outstanding)
        l.forgive(stalled, clock_.now());
    if (starving_since_)
      starving_since_ = std::min(clock_.now(), *starving_since_ + stalled);
  }
  look_for_late_members();
  look_for_starvation();
}

void run_controller::look_for_late_members() {
  const double now = clock_.now();
  struct overdue {
    std::uint64_t member;
    double seconds;
  };
  std::vector<overdue> given_up;
  for (auto& m : ledger_.members()) {
    if (m.idle())
      continue;
    lease& present = m.outstanding.front();
    const double seconds = present.silent_seconds(now);
    if (order_watch_.is_over(seconds)) {
      given_up.push_back({m.id, seconds});
    } else if (order_watch_.is_late(seconds) && !present.called_late) {
      present.called_late = true;
      effects_.warn(fmt::format("{} is late: {:.1f} s for a batch that usually takes {:.3f} s", m.name,
                                seconds, order_watch_.usual_seconds()));
    }
  }
  for (const auto& o : given_up) {
    const auto usual = order_watch_.known()
                           ? fmt::format(", where {:.3f} s are usual", order_watch_.usual_seconds())
                           : std::string(", nor any before; the next order gets twice as long");
    effects_.dismiss_late(o.member);
    member_lost(o.member, fmt::format("no result for {:.1f} s{}", o.seconds, usual));
  }
  if (!given_up.empty())
    order_watch_.gave_up();
}

void run_controller::look_for_starvation() {
  const double now = clock_.now();
  if (enough_members() || ending() || phase_ != phase::training) {
    if (std::exchange(starving_since_, std::nullopt) && phase_ == phase::training)
      phase_since_ = now; // what is shown as another phase has ended
    return;
  }
  const auto here = ledger_.members().size();
  if (!ledger_.any_computing())
    training_time_.stop();
  if (!starving_since_) {
    starving_since_ = phase_since_ = now;
    effects_.warn(fmt::format("waiting for workers: {} of {} are here", here, setup_->config.min_workers));
  } else if (now - *starving_since_ > setup_->config.wait_seconds) {
    effects_.warn(fmt::format("gave up waiting for workers: {} of {} are here after {:.0f} s", here,
                              setup_->config.min_workers, now - *starving_since_));
    starved_ = true;
    advance();
  }
}

std::vector<wait_record> run_controller::waits() const {
  std::vector<wait_record> out;
  const double now = clock_.now();
  const double phase_seconds = now - phase_since_;
  const auto holders = stock_->holders();
  const auto waiting_for = [&](const std::string& node) {
    const auto at =
        std::find_if(holders.begin(), holders.end(), [&](const auto& h) { return h.node == node; });
    return at == holders.end() ? 0 : at->waiting;
  };
  std::vector<std::string> computing;
  for (const auto& m : ledger_.members())
    if (!m.idle()) {
      computing.push_back(m.name);
      out.push_back({"coordinator", fmt::format("the result of lease {}", m.outstanding.front().id), m.name,
                     now - m.outstanding.front().granted_at});
    }
  switch (phase_) {
  case phase::evaluating:
    out.push_back({"coordinator", "an evaluation", "evaluator", phase_seconds});
    break;
  case phase::collecting:
    out.push_back({"coordinator", "the state of the priorities", "sampler", phase_seconds});
    break;
  case phase::saving:
    out.push_back({"coordinator", ending() ? "the final checkpoint" : "an earlier checkpoint", "checkpointer",
                   phase_seconds});
    break;
  default:
    break;
  }
  if (!enough_members())
    out.push_back({"coordinator",
                   fmt::format("{} more workers", static_cast<std::size_t>(setup_->config.min_workers) -
                                                      ledger_.members().size()),
                   "nodes that may join", starving_since_ ? now - *starving_since_ : 0.0});
  if (members_awaited_ > 0)
    out.push_back(
        {"coordinator", fmt::format("{} workers to start", members_awaited_), "this process", phase_seconds});
  for (const auto& m : ledger_.members()) {
    if (!m.idle())
      continue;
    const double seconds = now - m.idle_since;
    if (phase_ != phase::training)
      out.push_back({m.name, "the next order", "coordinator, which is not training", seconds});
    else if (!enough_members())
      out.push_back({m.name, "an order", "coordinator, which waits for workers", seconds});
    else if (stock_->samples() == 0)
      out.push_back({m.name, "a batch", "sampler", seconds});
    else if (stock_->sharded() && waiting_for(m.node) < static_cast<std::size_t>(setup_->config.batch_size))
      out.push_back({m.name, "points of its shards", "sampler", seconds});
    else
      out.push_back({m.name, "the end of the round", fmt::format("{}", fmt::join(computing, ", ")), seconds});
  }
  return out;
}

run_state run_controller::state() const {
  static constexpr std::array names = {"created", "training", "finishing a round", "evaluating", "collecting",
                                       "saving",  "done"};
  run_state s;
  const double now = clock_.now();
  s.phase = phase_ == phase::training && !enough_members() ? "waiting for workers"
                                                           : names[static_cast<std::size_t>(phase_)];
  s.phase_seconds = now - phase_since_;
  s.step = store_.version();
  s.epochs = epochs(samples_merged_);
  s.total_epochs = setup_->config.epochs;
  s.train_seconds = training_time_.seconds();
  s.samples_trained = meter_.samples();
  s.dropped_results = meter_.dropped();
  s.lost_members = lost_members_;
  for (const auto& m : ledger_.members()) {
    const double here = std::max(now - m.joined_at, 1e-9);
    s.members.push_back({m.name, m.clock, m.lag, m.samples, static_cast<double>(m.samples) / here,
                         m.busy_seconds / here, !m.idle()});
  }
  s.waits = waits();
  s.holders = stock_->holders();
  return s;
}

} // namespace triage
