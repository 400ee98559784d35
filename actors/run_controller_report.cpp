#include "actors/run_controller.hpp"

// What a run_controller reports while it goes on and when it is over.

namespace triage {

namespace {
constexpr double report_interval_seconds = 0.25;
}

void run_controller::report_if_due() {
  if (phase_ != phase::training || clock_.now() - last_report_ < report_interval_seconds)
    return;
  last_report_ = clock_.now();
  effects_.report(present_progress(true));
}

progress_report run_controller::present_progress(bool close) {
  progress_report r;
  const auto now = progress(samples_merged_);
  r.step = store_.version();
  r.epochs = now.epochs;
  r.total_epochs = now.total_epochs;
  r.fraction = now.fraction();
  r.learning_rate = setup_->rule->learning_rate() * setup_->learning_schedule->factor(now);
  meter_.fill(r, training_time_.seconds(), close);
  return r;
}

run_summary run_controller::summarise() const {
  run_summary s;
  s.status = !problem_.empty()                     ? run_status::failed
             : stopping_                           ? run_status::interrupted
             : starved_                            ? run_status::starved
             : target_stops_                       ? run_status::target_reached
             : out_of_patience_ && !budget_spent() ? run_status::stopped_improving
                                                   : run_status::finished;
  s.problem = problem_;
  s.steps = store_.version();
  s.epochs = epochs(samples_merged_);
  s.samples_trained = meter_.samples();
  s.samples_scored = samples_scored_;
  s.train_seconds = training_time_.seconds();
  if (s.train_seconds > 0.0)
    s.samples_per_second = static_cast<double>(s.samples_trained) / s.train_seconds;
  s.worker_busy_seconds = meter_.worker_busy_seconds();
  const double scoring = account_.scoring_seconds;
  if (const double busy = meter_.worker_busy_seconds() + scoring; busy > 0.0)
    s.scoring_share = scoring / busy;
  s.prioritization = account_;
  s.dropped_results = meter_.dropped();
  s.lost_members = lost_members_;
  s.figures = figures_;
  s.time_to_target = time_to_target_;
  s.best = best_.best() ? best_.best() : improved_.best();
  s.checkpoint = last_checkpoint_;
  return s;
}

} // namespace triage
