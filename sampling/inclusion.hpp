#pragma once

#include "core/rng.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// Limits of the inclusion probabilities of a plan (ALGORITHMS 1.9).
struct inclusion_rule {
  double smallest = 0.1;      ///< pi_min
  double largest = 1.0;       ///< pi_max; above 1 a point may be taken several times in one pass
  double noise_budget = 0.25; ///< largest v that a plan may add
  double least_share = 0.3;   ///< smallest share of the points that a plan may keep
  double fixed_share = 0.0;   ///< > 0: keep this share, whatever the noise
};

/// The probabilities of one block of points, and what they come to.
struct inclusion_plan {
  std::vector<double> probability;
  double kappa = 1.0; ///< mean probability: the share of gradient work
  double noise = 0.0; ///< v = sum s^2/pi / sum s^2 - 1
  double gain = 1.0;  ///< 1 / (kappa (1 + v)): ratio of second moments of a step, uniform to planned
  std::vector<double> looked_at; ///< scratch memory of the search over many points
};

/// What a plan with these probabilities comes to.
struct plan_gain {
  double kappa = 1.0; ///< mean probability
  double noise = 0.0;
  double gain = 1.0;
};
[[nodiscard]] plan_gain gain_of(std::span<const double> probability, std::span<const double> sizes);

/// pi_i = clip(c * strength_i, smallest, largest), or exactly `certain` for points with strength below zero,
/// with the smallest c that meets the rule. `sizes` are the gradient sizes that noise is measured by. Above
/// 16384 points c is found on every k-th of them.
void plan_inclusion(std::span<const double> strengths, std::span<const double> sizes,
                    const inclusion_rule& rule, inclusion_plan& plan);

/// Systematic sampling (Madow 1949): walks along the points with one random start and takes point i as often
/// as the running sum of probabilities passes an integer; `take(i, copies)` is called for the points taken.
/// The total is the sum of the probabilities, rounded up or down.
template <class Take>
void systematic_sample(std::span<const double> probability, rng& random, const Take& take) {
  double sum = random.uniform();
  auto passed = static_cast<std::uint64_t>(sum);
  for (std::size_t i = 0; i < probability.size(); ++i) {
    sum += probability[i];
    const auto now = static_cast<std::uint64_t>(sum);
    if (now > passed)
      take(i, static_cast<std::uint32_t>(now - passed));
    passed = now;
  }
}

/// The given quantile (0 to 1) of the values; above 16384 of them, that of every k-th. Infinity for 1, and
/// where there are no values. `scratch` is reused memory.
[[nodiscard]] double winsor_limit(std::span<const double> values, double quantile,
                                  std::vector<double>& scratch);
/// Lowers every value above that quantile to it.
void winsorise(std::span<double> values, double quantile, std::vector<double>& scratch);

} // namespace triage
