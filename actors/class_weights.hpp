#pragma once

#include "core/dataset.hpp"
#include "core/options.hpp"

#include <span>
#include <vector>

namespace triage {

/// What the loss of a point counts in training by its class: what a plain run does against imbalance. The
/// gradient is that of the weighted losses and scores are those of it; losses and accuracies that are
/// reported, kept by the ledger or shown to the noise guard are not weighted.
class class_weights {
public:
  /// All count 1.
  class_weights() = default;
  /// `given`: null; "balanced", points / (classes that occur * points of the class), so that these count the
  /// same and the mean over the points is 1; or one number for each class, 0 or more. Scores of weight 0 are
  /// 0, which selectors that rank signed scores put above negative ones.
  [[nodiscard]] static result<class_weights> read(const json_value& given, const json_place& place,
                                                  const dataset& train);

  [[nodiscard]] bool all_one() const { return of_class_.empty(); }
  /// Multiplies the value of each point with its weight. `labels`: those of the training set.
  void apply(std::span<const std::int32_t> labels, std::span<const std::uint32_t> ids,
             std::span<float> values) const;

private:
  std::vector<float> of_class_;
};

} // namespace triage
