#pragma once

#include "core/dataset.hpp"
#include "core/options.hpp"

namespace triage {

/// Switches that turn a training set into one of the regimes that sampling methods are judged by. They work
/// on every format, on the training set only: validation and test set stay as they are. All are seeded;
/// applied in the order of the members.
struct regime_options {
  double subset = 1.0;    ///< part of the points that is kept, stratified by class
  double imbalance = 1.0; ///< points of the largest class for one of the smallest, falling geometrically
  std::int64_t duplication = 1;           ///< how often every point occurs
  double label_noise = 0.0;               ///< share of labels that become another class, drawn uniformly
  std::optional<std::int64_t> fixed_seed; ///< absent: the seed of the run
  [[nodiscard]] std::uint64_t seed(std::uint64_t run_seed) const {
    return fixed_seed ? static_cast<std::uint64_t>(*fixed_seed) : run_seed;
  }
  void visit(option_visitor& v);
};

/// Applies the switches. Imbalance and label noise need classes: an error without them. A point keeps its
/// place relative to others; duplicates follow behind the whole set, copy by copy, so that with label noise
/// alone point i is the same point as without.
[[nodiscard]] result<void> apply_regimes(dataset& train, const regime_options& options, std::uint64_t seed);

} // namespace triage
