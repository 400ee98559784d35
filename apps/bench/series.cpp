#include "apps/bench/series.hpp"

#include "core/clock.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

double series::quantile(double share) const {
  if (values.empty())
    return 0.0;
  auto sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

series ratio(const series& numerator, const series& denominator) {
  series out;
  std::transform(numerator.values.begin(), numerator.values.end(), denominator.values.begin(),
                 std::back_inserter(out.values), [](double a, double b) { return a / b; });
  return out;
}

std::vector<series> alternate(std::span<const contender> contenders, int rounds) {
  std::vector<series> out(contenders.size());
  for (int round = -1; round < rounds; ++round)
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const double figure = contenders[i].measure();
      if (round >= 0)
        out[i].values.push_back(figure);
    }
  return out;
}

double calls_per_second(double seconds, const std::function<void()>& work) {
  const steady_clock time;
  const double begin = time.now();
  double elapsed = 0.0;
  double calls = 0.0;
  do {
    work();
    calls += 1.0;
    elapsed = time.now() - begin;
  } while (elapsed < seconds);
  return calls / elapsed;
}

} // namespace triage
