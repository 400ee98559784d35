#pragma once

#include <cstdint>

namespace triage {

/// A round in which each worker takes several optimizer steps of its own, on parameters of its own, and sends
/// once what came of them. z below is what all share, x what a worker has made of it.
struct local_round {
  /// Optimizer steps a worker takes in a round; policies that change it begin with this.
  std::int64_t steps = 1;
  /// A round begins with x <- (1 - pull) x + pull z; 1: at z itself.
  double pull = 1.0;
  /// Of the merge, in units of the learning rate: u <- momentum u + (z - mean x) / rate; z <- z - rate u.
  double momentum = 0.0;
  /// Whether the worker's own moments (velocities) go on from round to round.
  bool keeps_moments = true;
  /// The worker sends x and not how far it has moved from the z it began with: what it has moved from may be
  /// older than what its answer is merged into.
  bool sends_position = false;

  /// The share of mean x - z that a merge moves: x is pulled back before the mean is taken.
  [[nodiscard]] double merged_share() const { return sends_position ? 1.0 - pull : 1.0; }
};

} // namespace triage
