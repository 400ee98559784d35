#include "sampling/inclusion.hpp"

#include "core/multiversion.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace triage {

namespace {

constexpr std::size_t lanes = 8; ///< independent sums, so that loops vectorise

struct sums {
  std::array<double, lanes> probability{};
  std::array<double, lanes> squares{};
  std::array<double, lanes> weighted{}; ///< squares / probability

  static double total(const std::array<double, lanes>& s) {
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
  }
};

TRIAGE_INLINE double inclusion(double strength, double c, double smallest, double largest) {
  const double pi = c * strength;
  const double within = pi < smallest ? smallest : pi > largest ? largest : pi;
  return strength < 0.0 ? 1.0 : within;
}

TRIAGE_MULTIVERSION void fill_inclusion(const double* strengths, std::size_t n, double c, double smallest,
                                        double largest, double* out) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    out[i] = inclusion(strengths[i], c, smallest, largest);
}

TRIAGE_MULTIVERSION void add_up_plan(const double* probability, const double* sizes, std::size_t n,
                                     sums& all) {
  sums s = all;
  for (std::size_t i = 0; i + lanes <= n; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l) {
      const double square = sizes[i + l] * sizes[i + l];
      s.probability[l] += probability[i + l];
      s.squares[l] += square;
      s.weighted[l] += square / probability[i + l];
    }
  for (std::size_t i = n / lanes * lanes; i < n; ++i) {
    const double square = sizes[i] * sizes[i];
    s.probability[i % lanes] += probability[i];
    s.squares[i % lanes] += square;
    s.weighted[i % lanes] += square / probability[i];
  }
  all = s;
}

bool meets(const plan_gain& t, const inclusion_rule& rule) {
  if (rule.fixed_share > 0.0)
    return t.kappa >= rule.fixed_share;
  return t.kappa >= rule.least_share && t.noise <= rule.noise_budget;
}

/// The search looks at so many points at most: its error in kappa is then below a percent, and the
/// probabilities are exact whatever c is.
constexpr std::size_t search_points = 16384;
std::size_t stride_for(std::size_t points) {
  return std::max<std::size_t>((points + search_points - 1) / search_points, 1);
}

} // namespace

plan_gain gain_of(std::span<const double> probability, std::span<const double> sizes) {
  sums all;
  add_up_plan(probability.data(), sizes.data(), sizes.size(), all);
  const double sum = sums::total(all.probability);
  const double squares = sums::total(all.squares);
  if (!(sum > 0.0))
    return {};
  const double kappa = sum / static_cast<double>(sizes.size());
  const double noise = squares > 0.0 ? sums::total(all.weighted) / squares - 1.0 : 0.0;
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
    const std::size_t stride = stride_for(strengths.size());
    auto& looked_at = plan.looked_at;
    looked_at.clear();
    for (std::size_t i = 0; i < strengths.size(); i += stride)
      looked_at.push_back(strengths[i]);
    const std::size_t n = looked_at.size();
    looked_at.resize(3 * n);
    double* const probability = looked_at.data() + n;
    double* const seen_sizes = probability + n;
    for (std::size_t i = 0; i < n; ++i)
      seen_sizes[i] = sizes[i * stride];
    const auto tried = [&](double factor) {
      fill_inclusion(looked_at.data(), n, factor, rule.smallest, rule.largest, probability);
      return gain_of({probability, n}, {seen_sizes, n});
    };
    // Between "everything at the floor" and "everything at the ceiling".
    double low = std::log(rule.smallest / strongest);
    double high = std::log(rule.largest / weakest);
    for (int i = 0; i < 40 && high - low > 1e-7; ++i) {
      const double middle = 0.5 * (low + high);
      if (meets(tried(std::exp(middle)), rule))
        high = middle;
      else
        low = middle;
    }
    c = std::exp(high);
  }
  plan.probability.resize(strengths.size());
  fill_inclusion(strengths.data(), strengths.size(), c, rule.smallest, rule.largest, plan.probability.data());
  const plan_gain g = gain_of(plan.probability, sizes);
  plan.kappa = g.kappa;
  plan.noise = g.noise;
  plan.gain = g.gain;
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
