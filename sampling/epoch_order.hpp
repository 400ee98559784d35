#pragma once

#include "core/large_allocator.hpp"
#include "core/rng.hpp"
#include "core/saved_state.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// A random order of all points, made anew for each pass over them, and a position in it. Uniform and planned
/// selectors share it, so that a plan that keeps every point is the same sequence as no plan at all. Takes
/// memory, four bytes a point, from the first pass on: some selectors never ask for one.
class epoch_order {
public:
  void start(std::size_t points);
  /// Reshuffles when the pass is over; call before looking at what is left.
  void begin_pass_if_needed(rng& random);

  [[nodiscard]] std::size_t left() const { return points_ - position_; }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t points() const { return points_; }
  /// The next `count` points, and moves on. Precondition: count <= left().
  std::span<const std::uint32_t> take(std::size_t count);

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  void shuffle_in_buckets(rng& random);

  std::size_t points_ = 0;
  large_vector<std::uint32_t> order_; ///< empty until the first pass
  std::size_t position_ = 0;
};

} // namespace triage
