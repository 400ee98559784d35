#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"

#include <memory>
#include <span>

namespace triage {

/// What multiplies a point's loss to make up for how often it is chosen. The argument of every policy is the
/// point's expected number of visits relative to uniform sampling: N * p_i for draws with replacement, pi_i
/// for inclusion without. Stateless.
class weight_policy : public configurable {
public:
  /// `smallest` is the smallest relative frequency in the table: the point with the largest weight.
  /// `fraction` is how far the run is.
  [[nodiscard]] virtual float weight(double relative_frequency, double smallest, double fraction) const = 0;
  /// The weights of points that are chosen together.
  virtual void apply(std::span<const double> frequencies, double smallest, double fraction,
                     std::span<float> weights) const;
  /// Whether the weighted batch mean estimates the full mean without bias at the end of the annealing.
  [[nodiscard]] virtual bool unbiased() const = 0;
};

using weight_factory = std::unique_ptr<weight_policy> (*)();
/// none; full = 1/r; ht = (1/r)^beta (Horvitz & Thompson 1952); beta_maxnorm = (1/r)^beta, beta annealed to
/// 1, divided by the largest (Schaul et al. 2016); biased_k = (1/r)^k, rescaled so that the weights leave the
/// sum of the frequencies of the chosen as it is (the first version of Katharopoulos & Fleuret).
[[nodiscard]] registry_table<weight_factory> weight_policies();
[[nodiscard]] result<std::unique_ptr<weight_policy>> make_weight_policy(const json_value& description,
                                                                        const json_place& place);

} // namespace triage
