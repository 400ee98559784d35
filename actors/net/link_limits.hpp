#pragma once

#include <cstddef>

namespace triage {

struct run_setup;

/// What a connection may take of this process's memory; more closes it.
struct link_limits {
  std::size_t head = 4096;                   ///< bytes of a frame's head
  std::size_t queue = std::size_t{1} << 30U; ///< bytes waiting to be sent
};

/// Bytes of a head that no run needs more of but for the messages of its work: descriptions, reports, traces.
inline constexpr std::size_t largest_plain_head = std::size_t{16} << 20U;

/// Of the connections that carry a run's work: compressed gradients and parameters travel in heads, as do the
/// points of an order, and all parameters may wait in the queue.
[[nodiscard]] link_limits limits_of(const run_setup& setup);

} // namespace triage
