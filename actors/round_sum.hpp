#pragma once

#include "actors/parameter_store.hpp"
#include "core/blob.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// Sums the gradients of a round while its members still compute the rest of them: layers near the output are
/// finished first, so a gradient becomes final from the end of the block to its beginning. They are added in
/// the order and with the shares of the merge that will follow, a member's as soon as those of the members
/// before it are, so the sum is the same to the bit as one made in the end, and little is left to add when
/// the last member is done. Nothing depends on it: a merge that differs from what was foreseen (a member
/// lost, a result refused, a newcomer) takes nothing from here.
///
/// Owned by one thread.
class round_sum {
public:
  explicit round_sum(std::size_t trained_size) : trained_size_(trained_size) {}

  /// A member of the present round, in the order of members: what it has to contribute, and from where on its
  /// gradient is final (trained_size: nothing is).
  struct part {
    std::uint64_t member = 0;
    double samples = 0.0;
    blob gradient;
    std::size_t from = 0;
  };
  /// What is known of the present round; adds what it allows.
  void advance(std::span<const part> parts);
  /// The sum as far as it is known of all members of the present round.
  [[nodiscard]] summed_ahead known() const;
  /// The sum of exactly these contributions, if some of it was foreseen (of a single one, that part of it);
  /// ends the round.
  [[nodiscard]] summed_ahead take(std::span<const contribution> contributions);
  /// Forgets the round.
  void clear() { terms_.clear(); }

private:
  struct term {
    double samples = 0.0;
    float share = 0.0F;
    blob gradient;
    std::size_t from; ///< what is added of it begins here
  };
  void begin(std::span<const part> parts);
  /// Whether these are the terms of the present round; anything with samples and a gradient.
  template <class Contribution>
  [[nodiscard]] bool is_of(std::span<const Contribution> contributions) const;
  /// Adds what is final of the member and was added of those before.
  void add(std::size_t index, std::size_t final_from);

  std::size_t trained_size_;
  std::vector<term> terms_; ///< of the present round; empty: none is known
  std::uint64_t round_ = 0; ///< counts them, as they are foreseen
  std::vector<float> mean_; ///< empty until first used
  // For the shares, kept for their memory.
  std::vector<contribution> contributions_;
  std::vector<weighted_gradient> weighted_;
};

} // namespace triage
