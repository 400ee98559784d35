#include "actors/run_meter.hpp"

namespace triage {

namespace {
constexpr double smoothing = 0.02; ///< per batch: about the last fifty batches count
}

void run_meter::add(const train_result& result, std::size_t samples, std::uint64_t version_now,
                    bool has_accuracy) {
  const auto n = static_cast<double>(samples);
  loss_ += smoothing * (result.loss_sum / n - loss_);
  accuracy_ += smoothing * (static_cast<double>(result.correct) / n - accuracy_);
  weight_ += smoothing * (1.0 - weight_);
  has_accuracy_ = has_accuracy;
  samples_ += samples;
  busy_ += result.busy_seconds;
  lag_sum_ += static_cast<double>(version_now - result.base_version);
  lag_count_ += 1.0;
}

void run_meter::fill(progress_report& report, double train_seconds, bool close) {
  report.samples_trained = samples_;
  report.train_seconds = train_seconds;
  report.dropped_results = dropped_;
  report.worker_busy_seconds = busy_;
  if (weight_ > 0.0) {
    report.running_loss = loss_ / weight_;
    if (has_accuracy_)
      report.running_accuracy = accuracy_ / weight_;
  }
  const double seconds = train_seconds - seconds_at_report_;
  if (seconds > 0.0)
    report.samples_per_second = static_cast<double>(samples_ - samples_at_report_) / seconds;
  if (lag_count_ > 0.0)
    report.mean_lag = lag_sum_ / lag_count_;
  if (close) {
    samples_at_report_ = samples_;
    seconds_at_report_ = train_seconds;
    lag_sum_ = 0.0;
    lag_count_ = 0.0;
  }
}

saved_state run_meter::save() const {
  saved_state state;
  state.put("averages", std::vector<double>{loss_, accuracy_, weight_, busy_, has_accuracy_ ? 1.0 : 0.0});
  state.put("counts", std::vector<std::uint64_t>{samples_, dropped_});
  return state;
}

result<void> run_meter::load(const saved_state& state, double train_seconds) {
  const auto averages = state.get<double>("averages");
  const auto counts = state.get<std::uint64_t>("counts");
  if (!averages.ok())
    return averages.error();
  if (!counts.ok())
    return counts.error();
  if (averages->size() != 5 || counts->size() != 2)
    return data_error("the saved running figures have an unexpected length");
  loss_ = (*averages)[0];
  accuracy_ = (*averages)[1];
  weight_ = (*averages)[2];
  busy_ = (*averages)[3];
  has_accuracy_ = (*averages)[4] != 0.0;
  samples_ = (*counts)[0];
  dropped_ = (*counts)[1];
  samples_at_report_ = samples_;
  seconds_at_report_ = train_seconds;
  return {};
}

} // namespace triage
