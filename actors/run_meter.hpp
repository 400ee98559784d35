#pragma once

#include "actors/run_records.hpp"

#include <cmath>
#include <limits>

namespace triage {

/// Running figures between reports: smoothed loss and accuracy, throughput, lag, busy time.
class run_meter {
public:
  void add(const train_result& result, std::size_t samples, std::uint64_t version_now, bool has_accuracy);
  void count_dropped() { ++dropped_; }
  /// Fills what it knows into the report; throughput and lag are since the last call with `close` true.
  void fill(progress_report& report, double train_seconds, bool close);

  [[nodiscard]] double worker_busy_seconds() const { return busy_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] std::uint64_t samples() const { return samples_; }

  [[nodiscard]] saved_state save() const;
  /// `train_seconds`: how long the run had trained when it was saved.
  [[nodiscard]] result<void> load(const saved_state& state, double train_seconds);

private:
  double loss_ = 0.0;
  double accuracy_ = 0.0;
  double weight_ = 0.0; ///< of the exponential averages: makes the first values unbiased
  bool has_accuracy_ = false;
  std::uint64_t samples_ = 0;
  std::uint64_t dropped_ = 0;
  double busy_ = 0.0;
  std::uint64_t samples_at_report_ = 0;
  double seconds_at_report_ = 0.0;
  double lag_sum_ = 0.0;
  double lag_count_ = 0.0;
};

/// Something that is due every so many epochs.
class cadence {
public:
  /// `every` <= 0: never.
  explicit cadence(double every) : every_(every), next_(every) {}
  [[nodiscard]] bool due(double epochs) const { return every_ > 0.0 && epochs >= next_; }
  /// Moves to the next moment after `epochs`.
  void passed(double epochs) {
    if (!due(epochs))
      return;
    next_ += std::floor((epochs - next_) / every_) * every_;
    if (due(epochs))
      next_ += every_;
    if (due(epochs)) // a period finer than these numbers are
      next_ = std::nextafter(epochs, std::numeric_limits<double>::infinity());
  }
  [[nodiscard]] double next() const { return next_; }

private:
  double every_;
  double next_;
};

} // namespace triage
