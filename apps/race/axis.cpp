#include "apps/race/axis.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

constexpr double wanted_ticks = 5.0;

std::vector<double> linear_ticks(double low, double high) {
  const double rough = (high - low) / wanted_ticks;
  const double magnitude = std::pow(10.0, std::floor(std::log10(rough)));
  const double share = rough / magnitude;
  const double step = magnitude * (share < 1.5 ? 1.0 : share < 3.5 ? 2.0 : share < 7.5 ? 5.0 : 10.0);
  std::vector<double> out;
  const double slack = 1e-9 * (high - low);
  for (double i = std::ceil((low - slack) / step); i * step <= high + slack; i += 1.0)
    out.push_back(i * step + 0.0); // no negative zero
  return out;
}

std::vector<double> decade_ticks(double low, double high, const std::vector<double>& factors) {
  std::vector<double> out;
  for (double e = std::floor(std::log10(low)); e <= std::ceil(std::log10(high)); e += 1.0)
    for (const double f : factors)
      if (const double v = f * std::pow(10.0, e); v >= low * (1.0 - 1e-9) && v <= high * (1.0 + 1e-9))
        out.push_back(v);
  return out;
}

std::vector<double> logarithmic_ticks(double low, double high) {
  auto ticks = decade_ticks(low, high, {1.0, 2.0, 5.0});
  if (ticks.size() > 8)
    ticks = decade_ticks(low, high, {1.0});
  return ticks.size() < 3 ? linear_ticks(low, high) : ticks;
}

} // namespace

double axis::place(double value) const {
  if (logarithmic)
    return value > 0.0 ? std::log(value / low) / std::log(high / low) : 0.0;
  return (value - low) / (high - low);
}

axis make_axis(double low, double high, bool logarithmic) {
  axis out;
  out.logarithmic = logarithmic && low > 0.0;
  if (!(high > low)) {
    const double middle = low;
    low = out.logarithmic ? middle / 1.1 : middle - std::max(0.05 * std::abs(middle), 1e-3);
    high = out.logarithmic ? middle * 1.1 : middle + std::max(0.05 * std::abs(middle), 1e-3);
  }
  out.low = low;
  out.high = high;
  out.ticks = out.logarithmic ? logarithmic_ticks(low, high) : linear_ticks(low, high);
  return out;
}

} // namespace triage
