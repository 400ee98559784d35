#include "sampling/inclusion.hpp"

#include "core/multiversion.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

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

struct inclusion_limits {
  double factor = 1.0;
  double smallest = 0.0;
  double largest = 1.0;
};

TRIAGE_INLINE double inclusion(double strength, const inclusion_limits& l) {
  const double pi = l.factor * strength;
  const double within = pi < l.smallest ? l.smallest : pi > l.largest ? l.largest : pi;
  return strength < 0.0 ? 1.0 : within;
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

/// The same while the probabilities are made from strengths: one way through memory instead of two.
TRIAGE_MULTIVERSION void make_and_add_up_plan(const double* strengths, const double* sizes, std::size_t n,
                                              const inclusion_limits& limits, double* probability,
                                              sums& all) {
  sums s = all;
  for (std::size_t i = 0; i + lanes <= n; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l) {
      const double pi = inclusion(strengths[i + l], limits);
      const double square = sizes[i + l] * sizes[i + l];
      probability[i + l] = pi;
      s.probability[l] += pi;
      s.squares[l] += square;
      s.weighted[l] += square / pi;
    }
  for (std::size_t i = n / lanes * lanes; i < n; ++i) {
    const double pi = inclusion(strengths[i], limits);
    const double square = sizes[i] * sizes[i];
    probability[i] = pi;
    s.probability[i % lanes] += pi;
    s.squares[i % lanes] += square;
    s.weighted[i % lanes] += square / pi;
  }
  all = s;
}

/// The smallest and the largest strength above zero; infinity and 0 where there is none.
TRIAGE_MULTIVERSION void find_extremes(const double* strengths, std::size_t n, double& weakest,
                                       double& strongest) {
  std::array<double, lanes> low;
  std::array<double, lanes> high{};
  low.fill(std::numeric_limits<double>::infinity());
  const auto look = [&](std::size_t i, std::size_t l) {
    const double s = strengths[i];
    const double positive = s > 0.0 ? s : std::numeric_limits<double>::infinity();
    low[l] = positive < low[l] ? positive : low[l];
    high[l] = s > high[l] ? s : high[l];
  };
  for (std::size_t i = 0; i + lanes <= n; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l)
      look(i + l, l);
  for (std::size_t i = n / lanes * lanes; i < n; ++i)
    look(i, 0);
  weakest = *std::min_element(low.begin(), low.end());
  strongest = *std::max_element(high.begin(), high.end());
}

plan_gain figures_of(const sums& all, std::size_t points) {
  const double sum = sums::total(all.probability);
  const double squares = sums::total(all.squares);
  if (!(sum > 0.0))
    return {};
  const double kappa = sum / static_cast<double>(points);
  const double noise = squares > 0.0 ? sums::total(all.weighted) / squares - 1.0 : 0.0;
  return {kappa, noise, 1.0 / (kappa * (1.0 + noise))};
}

/// Rises with every probability, and is not negative where the rule is met.
double margin(const plan_gain& t, const inclusion_rule& rule) {
  if (rule.fixed_share > 0.0)
    return t.kappa - rule.fixed_share;
  return std::min(t.kappa - rule.least_share, rule.noise_budget - t.noise);
}

/// The smallest x between `low` and `high`, to 1e-7, at which the rising `f` is not negative: false position
/// with the weight of an end that stays halved (Dowell & Jarratt, "Illinois", 1971), and every third step a
/// bisection, so that it never takes long.
template <class Function>
double first_not_negative(double low, double high, const Function& f) {
  double below = f(low);
  double above = f(high);
  if (below >= 0.0 || above <= 0.0)
    return below >= 0.0 ? low : high;
  int side = 0;
  for (int i = 0; high - low > 1e-7 && i < 120; ++i) {
    const double middle = 0.5 * (low + high);
    const double guess = i % 3 == 2 ? middle : low - below * (high - low) / (above - below);
    const double x = guess > low && guess < high ? guess : middle;
    const double y = f(x);
    if (y >= 0.0) {
      high = x;
      above = y;
      below *= side > 0 ? 0.5 : 1.0;
      side = 1;
    } else {
      low = x;
      below = y;
      above *= side < 0 ? 0.5 : 1.0;
      side = -1;
    }
  }
  return high;
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
  return figures_of(all, sizes.size());
}

void plan_inclusion(std::span<const double> strengths, std::span<const double> sizes,
                    const inclusion_rule& rule, inclusion_plan& plan) {
  plan.probability.resize(strengths.size());
  const auto make = [&](const double* of, const double* by, std::size_t n, double c) {
    sums all;
    make_and_add_up_plan(of, by, n, {c, rule.smallest, rule.largest}, plan.probability.data(), all);
    return figures_of(all, n);
  };
  double weakest = 0.0;
  double strongest = 0.0;
  find_extremes(strengths.data(), strengths.size(), weakest, strongest);
  double c = 1.0;
  if (strongest > 0.0) {
    const std::size_t stride = stride_for(strengths.size());
    const double* seen_strengths = strengths.data();
    const double* seen_sizes = sizes.data();
    std::size_t n = strengths.size();
    if (stride > 1) {
      auto& looked_at = plan.looked_at;
      n = (strengths.size() + stride - 1) / stride;
      looked_at.resize(2 * n);
      for (std::size_t i = 0; i < n; ++i) {
        looked_at[i] = strengths[i * stride];
        looked_at[n + i] = sizes[i * stride];
      }
      seen_strengths = looked_at.data();
      seen_sizes = seen_strengths + n;
    }
    // Between "everything at the floor" and "everything at the ceiling".
    c = std::exp(first_not_negative(
        std::log(rule.smallest / strongest), std::log(rule.largest / weakest),
        [&](double x) { return margin(make(seen_strengths, seen_sizes, n, std::exp(x)), rule); }));
  }
  const plan_gain g = make(strengths.data(), sizes.data(), strengths.size(), c);
  plan.kappa = g.kappa;
  plan.noise = g.noise;
  plan.gain = g.gain;
}

double winsor_limit(std::span<const double> values, double quantile, std::vector<double>& scratch) {
  if (values.empty() || quantile >= 1.0)
    return std::numeric_limits<double>::infinity();
  scratch.clear();
  for (std::size_t i = 0; i < values.size(); i += stride_for(values.size()))
    scratch.push_back(values[i]);
  const auto k = static_cast<std::ptrdiff_t>(quantile * static_cast<double>(scratch.size() - 1));
  std::nth_element(scratch.begin(), scratch.begin() + k, scratch.end());
  return scratch[static_cast<std::size_t>(k)];
}

void winsorise(std::span<double> values, double quantile, std::vector<double>& scratch) {
  const double limit = winsor_limit(values, quantile, scratch);
  for (auto& v : values)
    v = std::min(v, limit);
}

} // namespace triage
