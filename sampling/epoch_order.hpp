#pragma once

#include "core/rng.hpp"
#include "core/saved_state.hpp"
#include "sampling/computed_order.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// A random order of all points, made anew for each pass over them, and a position in it. Uniform and planned
/// selectors share it, so that a plan that keeps every point is the same sequence as no plan at all. Up to
/// 262,144 points it is shuffled and stored, from the first pass on: some selectors never ask for one. More
/// points do not fit the cache, where a shuffle is slow: their order is computed as it is taken.
class epoch_order {
public:
  void start(std::size_t points);
  /// Begins another order when the pass is over; call before looking at what is left.
  void begin_pass_if_needed(rng& random);

  [[nodiscard]] std::size_t left() const { return points_ - position_; }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t points() const { return points_; }
  /// The next `count` points, until the next call, and moves on. Precondition: count <= left().
  std::span<const std::uint32_t> take(std::size_t count);

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  /// Whether a computed order is in use.
  [[nodiscard]] bool computes() const { return computed_.range() > 0; }

  std::size_t points_ = 0;
  std::vector<std::uint32_t> order_; ///< empty until the first pass, and where it is computed
  computed_order computed_;
  std::vector<std::uint32_t> taken_; ///< of a computed order
  std::size_t position_ = 0;
};

} // namespace triage
