#pragma once

#include "actors/run_records.hpp"

#include <optional>
#include <string>

namespace triage {

/// Follows one figure over the evaluations of a run: when it was best, and when it last grew better by enough
/// to count. Accuracies are better when larger, losses when smaller. Plain value, no clock.
class best_figure {
public:
  /// `metric` empty: none is followed. What counts is better by more than `min_change` than what counted
  /// last.
  explicit best_figure(std::string metric, double min_change = 0.0)
      : metric_(std::move(metric)), min_change_(min_change) {}

  /// Takes the figures of an evaluation; whether the one that is followed is better by enough to count. What
  /// is missing or no number never is.
  bool offer(const evaluation_figures& figures, double epochs, std::uint64_t step);
  [[nodiscard]] const std::optional<best_value>& best() const { return best_; }
  /// From the last evaluation that counted to the last; 0 before it was first measured.
  [[nodiscard]] double epochs_without_better() const { return counted_ ? last_ - counted_->epochs : 0.0; }
  /// As if it had never been measured.
  void forget() {
    best_.reset();
    counted_.reset();
  }

  /// For checkpoints. What was saved of another metric, or by a version that saved nothing, is no best yet.
  void save(saved_state& state, const std::string& prefix) const;
  [[nodiscard]] result<void> load(const saved_state& state, const std::string& prefix);

private:
  std::string metric_;
  double min_change_;
  std::optional<best_value> best_;
  struct counted {
    double value = 0.0;
    double epochs = 0.0;
  };
  std::optional<counted> counted_;
  double last_ = 0.0; ///< epochs of the last evaluation
};

} // namespace triage
