#pragma once

#include "core/large_allocator.hpp"
#include "core/saved_state.hpp"
#include "sampling/predictor.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
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
/// stands in. Eight bytes a point, 10.7 with the times of training. Owned by one thread.
class priority_table {
public:
  /// `track_training`: whether mark_trained is remembered. `history`: turns measurements into present
  /// values; null: the last measurement counts.
  explicit priority_table(std::size_t points, double floor = 1e-6, bool track_training = true,
                          std::unique_ptr<predictor> history = nullptr);

  /// Takes a measurement, unless a newer one is known already. Returns whether it was taken.
  bool record(std::uint32_t id, float score, std::uint64_t version);
  void mark_trained(std::uint32_t id, double epoch) {
    if (tracks_training())
      trained_at(id) = ticks(epoch);
  }
  /// Asks for the memory of this point, which will be needed soon.
  void prefetch(std::uint32_t id) const { __builtin_prefetch(&known(id), 1); }

  [[nodiscard]] std::size_t size() const { return points_; }
  [[nodiscard]] bool seen(std::uint32_t id) const { return known(id).stamp != 0; }
  /// At least the floor.
  [[nodiscard]] float value(std::uint32_t id) const { return std::max(known(id).value, floor_); }
  /// As remembered, of either sign.
  [[nodiscard]] float signed_value(std::uint32_t id) const { return known(id).value; }
  /// What the predictor expects at version `now`; of either sign, not above `ceiling`.
  [[nodiscard]] float predicted(std::uint32_t id, std::uint64_t now, float ceiling) const;
  /// Whether `predicted` differs from `signed_value` at all.
  [[nodiscard]] bool extrapolates() const { return history_ && history_->extrapolates(); }
  [[nodiscard]] float floor() const { return floor_; }
  /// The largest remembered value.
  [[nodiscard]] float highest() const;
  /// Version of the measurement; meaningful only when seen.
  [[nodiscard]] std::uint64_t version(std::uint32_t id) const {
    return known(id).stamp == 0 ? 0 : std::uint64_t{known(id).stamp} - 1;
  }
  /// Epochs since the point was trained (since the start when never), in steps of 1/64; counts from zero
  /// again after 1024.
  [[nodiscard]] double epochs_since_trained(std::uint32_t id, double now) const {
    if (!tracks_training())
      return now;
    return static_cast<double>(static_cast<std::uint16_t>(ticks(now) - trained_at(id))) / ticks_per_epoch;
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

  /// A cache line: all that is known of a point is one access to memory.
  static constexpr std::size_t points_of_line = 6;
  struct alignas(64) line {
    std::array<entry, points_of_line> known;
    std::array<std::uint16_t, points_of_line> trained{}; ///< ticks, modulo 2^16
  };
  static_assert(sizeof(line) == 64);
  [[nodiscard]] bool tracks_training() const { return !lines_.empty(); }
  [[nodiscard]] const entry& known(std::uint32_t id) const {
    return lines_.empty() ? entries_[id] : lines_[id / points_of_line].known[id % points_of_line];
  }
  [[nodiscard]] entry& known(std::uint32_t id) { return const_cast<entry&>(std::as_const(*this).known(id)); }
  /// Precondition: tracks_training().
  [[nodiscard]] const std::uint16_t& trained_at(std::uint32_t id) const {
    return lines_[id / points_of_line].trained[id % points_of_line];
  }
  [[nodiscard]] std::uint16_t& trained_at(std::uint32_t id) {
    return const_cast<std::uint16_t&>(std::as_const(*this).trained_at(id));
  }

  std::size_t points_;
  large_vector<line> lines_;    ///< with times of training
  large_vector<entry> entries_; ///< without
  std::unique_ptr<predictor> history_;
  float floor_;
  std::uint64_t rejected_ = 0;
};

} // namespace triage
