#pragma once

#include "core/rng.hpp"
#include "core/saved_state.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// A random order of all points, made anew for each pass over them, and a position in it. Uniform and planned
/// selectors share it, so that a plan that keeps every point is the same sequence as no plan at all.
class epoch_order {
public:
  void start(std::size_t points);
  /// Reshuffles when the pass is over; call before looking at what is left.
  void begin_pass_if_needed(rng& random);

  [[nodiscard]] std::size_t left() const { return order_.size() - position_; }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t points() const { return order_.size(); }
  /// The next `count` points, and moves on. Precondition: count <= left().
  std::span<const std::uint32_t> take(std::size_t count);

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  void shuffle_in_buckets(rng& random);

  std::vector<std::uint32_t> order_;
  std::size_t position_ = 0;
};

} // namespace triage
