#include "sampling/inclusion.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

struct totals {
  double kappa = 0.0;
  double noise = 0.0;
};

/// Over every `stride`-th point.
totals measure(std::span<const double> strengths, std::span<const double> sizes, const inclusion_rule& rule,
               double c, std::size_t stride) {
  double sum = 0.0;
  double weighted = 0.0;
  double squares = 0.0;
  double points = 0.0;
  for (std::size_t i = 0; i < strengths.size(); i += stride) {
    points += 1.0;
    squares += sizes[i] * sizes[i];
    const double pi = strengths[i] < 0.0 ? 1.0 : std::clamp(c * strengths[i], rule.smallest, rule.largest);
    sum += pi;
    weighted += sizes[i] * sizes[i] / pi;
  }
  return {sum / points, squares > 0.0 ? weighted / squares - 1.0 : 0.0};
}

/// The search looks at so many points at most: its error in kappa is then below a percent, and the
/// probabilities are exact whatever c is.
constexpr std::size_t search_points = 16384;
std::size_t stride_for(std::size_t points) {
  return std::max<std::size_t>((points + search_points - 1) / search_points, 1);
}

bool meets(const totals& t, const inclusion_rule& rule) {
  if (rule.fixed_share > 0.0)
    return t.kappa >= rule.fixed_share;
  return t.kappa >= rule.least_share && t.noise <= rule.noise_budget;
}

} // namespace

plan_gain gain_of(std::span<const double> probability, std::span<const double> sizes) {
  double sum = 0.0;
  double weighted = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const double square = sizes[i] * sizes[i];
    sum += probability[i];
    squares += square;
    weighted += square / probability[i];
  }
  if (!(sum > 0.0))
    return {};
  const double kappa = sum / static_cast<double>(sizes.size());
  const double noise = squares > 0.0 ? weighted / squares - 1.0 : 0.0;
  return {kappa, noise, 1.0 / (kappa * (1.0 + noise))};
}

void plan_inclusion(std::span<const double> strengths, std::span<const double> sizes,
                    const inclusion_rule& rule, inclusion_plan& plan) {
  double weakest = 0.0;
  double strongest = 0.0;
  for (std::size_t i = 0; i < strengths.size(); ++i) {
    if (strengths[i] > 0.0) {
      weakest = weakest == 0.0 ? strengths[i] : std::min(weakest, strengths[i]);
      strongest = std::max(strongest, strengths[i]);
    }
  }
  double c = 1.0;
  if (strongest > 0.0) {
    // Between "everything at the floor" and "everything at the ceiling".
    double low = std::log(rule.smallest / strongest);
    double high = std::log(rule.largest / weakest);
    for (int i = 0; i < 40 && high - low > 1e-7; ++i) {
      const double middle = 0.5 * (low + high);
      if (meets(measure(strengths, sizes, rule, std::exp(middle), stride_for(strengths.size())), rule))
        high = middle;
      else
        low = middle;
    }
    c = std::exp(high);
  }
  plan.probability.resize(strengths.size());
  for (std::size_t i = 0; i < strengths.size(); ++i)
    plan.probability[i] =
        strengths[i] < 0.0 ? 1.0 : std::clamp(c * strengths[i], rule.smallest, rule.largest);
  const plan_gain g = gain_of(plan.probability, sizes);
  plan.kappa = g.kappa;
  plan.noise = g.noise;
  plan.gain = g.gain;
}

void systematic_sample(std::span<const double> probability, rng& random,
                       const std::function<void(std::size_t, std::uint32_t)>& take) {
  double sum = random.uniform();
  double passed = std::floor(sum);
  for (std::size_t i = 0; i < probability.size(); ++i) {
    sum += probability[i];
    const double now = std::floor(sum);
    if (now > passed)
      take(i, static_cast<std::uint32_t>(now - passed));
    passed = now;
  }
}

void winsorise(std::span<double> values, double quantile, std::vector<double>& scratch) {
  if (values.empty() || quantile >= 1.0)
    return;
  scratch.clear();
  for (std::size_t i = 0; i < values.size(); i += stride_for(values.size()))
    scratch.push_back(values[i]);
  const auto k = static_cast<std::ptrdiff_t>(quantile * static_cast<double>(scratch.size() - 1));
  std::nth_element(scratch.begin(), scratch.begin() + k, scratch.end());
  const double limit = scratch[static_cast<std::size_t>(k)];
  for (auto& v : values)
    v = std::min(v, limit);
}

} // namespace triage
