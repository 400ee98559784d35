#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// The classes of a shard's points. Empty where points have none. Borrows the labels.
struct point_classes {
  std::span<const std::int32_t> labels;
  std::size_t classes = 0;

  [[nodiscard]] bool known() const { return classes > 1 && !labels.empty(); }
  [[nodiscard]] std::size_t of(std::uint32_t id) const { return static_cast<std::size_t>(labels[id]); }
  /// Share of the points in each class.
  [[nodiscard]] std::vector<double> shares() const;
};

} // namespace triage
