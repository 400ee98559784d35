#pragma once

#include "core/large_allocator.hpp"
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
/// stands in. Eight bytes a point, ten with the times of training. Owned by one thread.
class priority_table {
public:
  /// `track_training`: whether mark_trained is remembered. `history`: turns measurements into present
  /// values; null: the last measurement counts.
  explicit priority_table(std::size_t points, double floor = 1e-6, bool track_training = true,
                          std::unique_ptr<predictor> history = nullptr);

  /// Takes a measurement, unless a newer one is known already. Returns whether it was taken.
  bool record(std::uint32_t id, float score, std::uint64_t version);
  void mark_trained(std::uint32_t id, double epoch) {
    if (!trained_.empty())
      trained_[id] = ticks(epoch);
  }
  /// Asks for the memory of this point, which will be needed soon.
  void prefetch(std::uint32_t id) const {
    __builtin_prefetch(known_.data() + id, 1);
    prefetch_trained(id);
  }
  /// The same for mark_trained alone.
  void prefetch_trained(std::uint32_t id) const {
    if (!trained_.empty())
      __builtin_prefetch(trained_.data() + id, 1);
  }

  [[nodiscard]] std::size_t size() const { return known_.size(); }
  [[nodiscard]] bool seen(std::uint32_t id) const { return known_[id].stamp != 0; }
  /// At least the floor.
  [[nodiscard]] float value(std::uint32_t id) const { return std::max(known_[id].value, floor_); }
  /// As remembered, of either sign.
  [[nodiscard]] float signed_value(std::uint32_t id) const { return known_[id].value; }
  /// What the predictor expects at version `now`; of either sign, not above `ceiling`.
  [[nodiscard]] float predicted(std::uint32_t id, std::uint64_t now, float ceiling) const;
  /// Whether `predicted` differs from `signed_value` at all.
  [[nodiscard]] bool extrapolates() const { return history_ && history_->extrapolates(); }
  [[nodiscard]] float floor() const { return floor_; }
  /// The largest remembered value.
  [[nodiscard]] float highest() const;
  /// Version of the measurement; meaningful only when seen.
  [[nodiscard]] std::uint64_t version(std::uint32_t id) const {
    return known_[id].stamp == 0 ? 0 : std::uint64_t{known_[id].stamp} - 1;
  }
  /// Epochs since the point was trained (since the start when never), in steps of 1/64; counts from zero
  /// again after 1024.
  [[nodiscard]] double epochs_since_trained(std::uint32_t id, double now) const {
    return trained_.empty()
               ? now
               : static_cast<double>(static_cast<std::uint16_t>(ticks(now) - trained_[id])) / ticks_per_epoch;
  }
  [[nodiscard]] std::uint64_t rejected() const { return rejected_; }

  /// Exact over a fixed stride of at most 4096 points.
  [[nodiscard]] staleness_summary staleness(std::uint64_t now) const;
  /// (sum p)^2 / sum p^2 over the points' priorities, as a share of the points: 1 = uniform.
  [[nodiscard]] double effective_sample_share() const;

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  struct entry {
    float value = 0.0F;
    std::uint32_t stamp = 0; ///< version + 1; 0 = never measured
  };
  static constexpr double ticks_per_epoch = 64.0;
  [[nodiscard]] static std::uint16_t ticks(double epoch) {
    return static_cast<std::uint16_t>(static_cast<std::uint64_t>(epoch * ticks_per_epoch));
  }

  large_vector<entry> known_;           ///< what belongs together is one access to memory
  large_vector<std::uint16_t> trained_; ///< ticks, modulo 2^16
  std::unique_ptr<predictor> history_;
  float floor_;
  std::uint64_t rejected_ = 0;
};

} // namespace triage
