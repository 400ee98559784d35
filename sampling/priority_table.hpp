#pragma once

#include "core/saved_state.hpp"
#include "sampling/predictor.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace triage {

/// Order statistics of how old the priorities are, in parameter versions.
struct staleness_summary {
  double median = 0.0;
  double p99 = 0.0;
  double unseen_share = 0.0; ///< share of points that were never scored
};

/// The last known priority of each point, the parameter version it was measured at, and when the point was
/// last trained (in epochs). Bad values never enter: NaN and infinite scores are counted and dropped. Scores
/// may be negative (a point whose gradient opposes the mean); where a probability is made of one, the floor
/// stands in. Eight bytes a point, twelve with the times of training. Owned by one thread.
class priority_table {
public:
  /// `track_training`: whether mark_trained is remembered. `history`: turns measurements into present
  /// values; null: the last measurement counts.
  explicit priority_table(std::size_t points, double floor = 1e-6, bool track_training = true,
                          std::unique_ptr<predictor> history = nullptr);

  /// Takes a measurement, unless a newer one is known already. Returns whether it was taken.
  bool record(std::uint32_t id, float score, std::uint64_t version);
  void mark_trained(std::uint32_t id, double epoch);
  /// Asks for the memory of this point, which will be needed soon.
  void prefetch(std::uint32_t id) const;

  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] bool seen(std::uint32_t id) const { return versions_[id] != 0; }
  /// At least the floor.
  [[nodiscard]] float value(std::uint32_t id) const { return std::max(values_[id], floor_); }
  /// As remembered, of either sign.
  [[nodiscard]] float signed_value(std::uint32_t id) const { return values_[id]; }
  /// What the predictor expects at version `now`; of either sign, not above `ceiling`.
  [[nodiscard]] float predicted(std::uint32_t id, std::uint64_t now, float ceiling) const;
  /// Whether `predicted` differs from `signed_value` at all.
  [[nodiscard]] bool extrapolates() const { return history_ && history_->extrapolates(); }
  [[nodiscard]] float floor() const { return floor_; }
  /// The largest remembered value.
  [[nodiscard]] float highest() const;
  /// Version of the measurement; meaningful only when seen.
  [[nodiscard]] std::uint64_t version(std::uint32_t id) const;
  /// Epochs since the point was trained (since the start when never).
  [[nodiscard]] double epochs_since_trained(std::uint32_t id, double now) const;
  [[nodiscard]] std::uint64_t rejected() const { return rejected_; }

  /// Exact over a fixed stride of at most 4096 points.
  [[nodiscard]] staleness_summary staleness(std::uint64_t now) const;
  /// (sum p)^2 / sum p^2 over the points' priorities, as a share of the points: 1 = uniform.
  [[nodiscard]] double effective_sample_share() const;

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  std::vector<float> values_;
  std::vector<std::uint32_t> versions_; ///< version + 1; 0 = never measured
  std::vector<float> trained_epochs_;
  std::unique_ptr<predictor> history_;
  float floor_;
  std::uint64_t rejected_ = 0;
};

} // namespace triage
