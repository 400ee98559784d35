#include "apps/race/crossing.hpp"

#include "apps/race/metric.hpp"

#include <cmath>

namespace triage {

std::optional<crossing> first_crossing(const curve& points, std::string_view metric, double value) {
  const evaluation_point* before = nullptr;
  for (const auto& p : points) {
    const auto here = p.find(metric);
    if (!here)
      continue;
    if (!at_least_as_good(metric, *here, value)) {
      before = &p;
      continue;
    }
    if (before == nullptr)
      return crossing{p.seconds, p.samples, p.compute_seconds, true};
    const double there = *before->find(metric);
    const double t = (value - there) / (*here - there); // `there` is on the other side: no zero
    return crossing{std::lerp(before->seconds, p.seconds, t), std::lerp(before->samples, p.samples, t),
                    std::lerp(before->compute_seconds, p.compute_seconds, t), false};
  }
  return std::nullopt;
}

} // namespace triage
