#pragma once

#include "actors/parameter_store.hpp"
#include "core/blob.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// Sums the gradients of a round while its members still compute the rest of them: layers near the output are
/// finished first, so a gradient becomes final from the end of the block to its beginning. What every member
/// of the round has finished is summed, in the order and with the shares of the merge that will follow, so
/// the sum is the same to the bit as one made in the end. Nothing depends on it: a merge that differs from
/// what was foreseen (a member lost, a result refused, a newcomer) takes nothing from here.
///
/// Owned by one thread.
class round_sum {
public:
  explicit round_sum(std::size_t trained_size) : trained_size_(trained_size), from_(trained_size) {}

  /// A member of the present round, in the order of members: what it has to contribute, and from where on its
  /// gradient is final (trained_size: nothing is).
  struct part {
    std::uint64_t member = 0;
    double samples = 0.0;
    blob gradient;
    std::size_t from = 0;
  };
  /// What is known of the present round; sums what it allows.
  void advance(std::span<const part> parts);
  /// What is summed of exactly these contributions; ends the round.
  [[nodiscard]] summed_ahead take(std::span<const contribution> contributions);
  /// Forgets the round.
  void clear();

private:
  std::size_t trained_size_;
  std::size_t from_; ///< what is summed begins here
  std::vector<contribution> summed_;
  std::vector<weighted_gradient> weighted_;
  std::vector<float> mean_; ///< empty until first used
};

} // namespace triage
