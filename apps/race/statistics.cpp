#include "apps/race/statistics.hpp"

#include "core/rng.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>

namespace triage {

namespace {

constexpr double tail = 0.025; ///< outside the interval on each side

std::vector<double> resample(const std::vector<double>& values, rng& random) {
  std::vector<double> out(values.size());
  for (auto& v : out)
    v = values[static_cast<std::size_t>(random.below(values.size()))];
  return out;
}

} // namespace

double median(std::vector<double> values) {
  if (values.empty())
    return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  if (values.size() % 2 == 1 || values[half - 1] == values[half])
    return values[half];
  return 0.5 * (values[half - 1] + values[half]);
}

std::optional<double> median_ratio(const std::vector<double>& baseline, const std::vector<double>& arm) {
  const double above = median(baseline);
  const double below = median(arm);
  if (std::isinf(above) && std::isinf(below))
    return std::nullopt;
  if (above == below) // also 0 and 0: both had it at once
    return 1.0;
  return above / below;
}

std::optional<interval> bootstrap_ratio(const std::vector<double>& baseline, const std::vector<double>& arm,
                                        std::uint64_t seed, int resamples) {
  if (baseline.size() < 2 || arm.size() < 2 || resamples < 1)
    return std::nullopt;
  rng random(seed, 0x72616365); // a stream of its own: "race"
  const auto n = static_cast<std::size_t>(resamples);
  std::vector<double> low(n);
  std::vector<double> high(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto a = resample(baseline, random);
    const auto b = resample(arm, random);
    const auto ratio = median_ratio(a, b);
    low[i] = ratio.value_or(0.0);
    high[i] = ratio.value_or(not_reached);
  }
  std::sort(low.begin(), low.end());
  std::sort(high.begin(), high.end());
  const auto cut = static_cast<std::size_t>(tail * static_cast<double>(n));
  return interval{low[cut], high[n - 1 - cut]};
}

std::optional<interval> mean_interval(const std::vector<double>& values) {
  if (values.size() < 2)
    return std::nullopt;
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0.0;
  for (const double v : values)
    squares += (v - mean) * (v - mean);
  const double error = std::sqrt(squares / (n - 1.0) / n);
  const double reach = error * boost::math::quantile(boost::math::students_t(n - 1.0), 0.975);
  return interval{mean - reach, mean + reach};
}

} // namespace triage
