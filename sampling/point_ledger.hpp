#pragma once

#include "core/saved_state.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// What a run has learned about each point: how often it was trained and scored, and its losses while it was
/// trained (unweighted, with augmentation and dropout as trained). Twenty bytes a point. Owned by one thread.
class point_ledger {
public:
  explicit point_ledger(std::size_t points);
  /// One training batch; `losses` are those of the points, in order.
  void trained(std::span<const std::uint32_t> ids, std::span<const float> losses);
  /// Measured by an estimator.
  void scored(std::span<const std::uint32_t> ids);

  [[nodiscard]] std::size_t size() const { return trained_.size(); }
  [[nodiscard]] std::uint32_t times_trained(std::size_t id) const { return trained_[id]; }
  [[nodiscard]] std::uint32_t times_scored(std::size_t id) const { return scored_[id]; }
  /// Meaningful only when the point was trained.
  [[nodiscard]] float last_loss(std::size_t id) const { return last_[id]; }
  [[nodiscard]] float lowest_loss(std::size_t id) const { return lowest_[id]; }
  /// Over all visits. Labels that contradict the rest of the data keep it high even when they are memorised
  /// in the end (the mean over training is what Pleiss et al. 2020 rank by, as a margin).
  [[nodiscard]] float mean_loss(std::size_t id) const { return mean_[id]; }

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  std::vector<std::uint32_t> trained_;
  std::vector<std::uint32_t> scored_;
  std::vector<float> mean_;
  std::vector<float> last_;
  std::vector<float> lowest_;
};

} // namespace triage
