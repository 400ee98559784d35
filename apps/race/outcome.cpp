#include "apps/race/outcome.hpp"

#include "apps/race/metric.hpp"
#include "apps/race/statements.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

constexpr std::uint64_t bootstrap_seed = 2026; ///< fixed: a report does not change when it is made again

/// Of a whole run; not_reached of one that failed, which says nothing about what it would have cost.
double whole_cost(const run_result& run, race_cost cost) {
  if (run.failed || run.points.empty())
    return not_reached;
  const auto& last = run.points.back();
  return cost == race_cost::seconds   ? last.seconds
         : cost == race_cost::samples ? last.samples
                                      : last.compute_seconds;
}

/// The median with what is missing in its place at the least that it can be.
double censored_median(const std::vector<double>& reached, const std::vector<run_result>& runs,
                       race_cost cost) {
  std::vector<double> least = reached;
  for (std::size_t i = 0; i < least.size(); ++i)
    if (std::isinf(least[i]))
      least[i] = whole_cost(runs[i], cost);
  return median(std::move(least));
}

cost_outcome cost_between(const arm_target& baseline, const arm_target& arm, race_cost cost, bool same,
                          const std::vector<run_result>& baseline_runs) {
  cost_outcome out;
  std::vector<double> reference;
  for (const auto& c : baseline.crossings)
    reference.push_back(cost_of(c, cost));
  for (const auto& c : arm.crossings)
    out.values.push_back(cost_of(c, cost));
  out.middle = median(out.values);
  out.best = *std::min_element(out.values.begin(), out.values.end());
  out.worst = *std::max_element(out.values.begin(), out.values.end());
  if (same)
    return out;
  out.ratio = median_ratio(reference, out.values);
  if (std::isinf(median(reference)) && std::isfinite(out.middle) && out.middle > 0.0)
    if (const double least = censored_median(reference, baseline_runs, cost); std::isfinite(least))
      out.at_least = least / out.middle;
  out.bounds = bootstrap_ratio(reference, out.values, bootstrap_seed);
  for (std::size_t i = 0; i < reference.size(); ++i) {
    if (std::isinf(reference[i]) && std::isinf(out.values[i]))
      continue;
    ++out.pairs;
    out.sooner += out.values[i] < reference[i] ? 1 : 0;
  }
  return out;
}

target_outcome reach(const race_outcome& race, const race_target& target) {
  target_outcome out;
  out.target = target;
  out.value = target_value(target, race.arms.front());
  for (const auto& arm : race.arms) {
    arm_target t;
    for (const auto& run : arm.runs) {
      auto c =
          out.value && !run.failed ? first_crossing(run.points, target.metric, *out.value) : std::nullopt;
      t.reached += c ? 1 : 0;
      t.crossings.push_back(c);
    }
    out.arms.push_back(std::move(t));
  }
  for (std::size_t i = 0; i < out.arms.size(); ++i)
    for (std::size_t c = 0; c < race_costs.size(); ++c)
      out.arms[i].costs[c] =
          cost_between(out.arms.front(), out.arms[i], race_costs[c], i == 0, race.arms.front().runs);
  out.statements = statements(race.spec, out);
  return out;
}

/// The figures of one evaluation of all runs that have it.
std::vector<double> figures_at(const std::vector<run_result>& runs, std::size_t index,
                               std::string_view metric) {
  std::vector<double> values;
  for (const auto& run : runs)
    if (index < run.points.size())
      if (const auto v = run.points[index].find(metric))
        values.push_back(*v);
  return values;
}

double median_of(const std::vector<run_result>& runs, std::size_t index, double evaluation_point::*member) {
  std::vector<double> values;
  for (const auto& run : runs)
    if (index < run.points.size())
      values.push_back(run.points[index].*member);
  return median(std::move(values));
}

} // namespace

std::string to_string(race_cost cost) {
  switch (cost) {
  case race_cost::seconds:
    return "seconds";
  case race_cost::samples:
    return "gradient_samples";
  case race_cost::compute_seconds:
    return "compute_seconds";
  }
  return "";
}

double cost_of(const std::optional<crossing>& c, race_cost cost) {
  if (!c)
    return not_reached;
  return cost == race_cost::seconds   ? c->seconds
         : cost == race_cost::samples ? c->samples
                                      : c->compute_seconds;
}

std::size_t race_outcome::failed_runs() const {
  std::size_t count = 0;
  for (const auto& arm : arms)
    count += static_cast<std::size_t>(
        std::count_if(arm.runs.begin(), arm.runs.end(), [](const auto& run) { return run.failed; }));
  return count;
}

void analyse(race_outcome& race) {
  race.targets.clear();
  for (const auto& target : race.spec.targets)
    race.targets.push_back(reach(race, target));
  race.remarks = remarks(race);
}

std::optional<double> target_value(const race_target& target, const arm_outcome& baseline) {
  if (target.rule == target_rule::given)
    return target.value;
  if (target.rule == target_rule::final_median) {
    std::vector<double> last;
    for (const auto& run : baseline.runs)
      if (const auto v = run.final_figure(target.metric))
        last.push_back(*v);
    const double middle = median(std::move(last));
    return std::isfinite(middle) ? std::optional(middle) : std::nullopt;
  }
  // A run that has not got an evaluation counts as the worst there: a few that went far do not set the value.
  std::size_t length = 0;
  for (const auto& run : baseline.runs)
    length = std::max(length, run.points.size());
  std::optional<double> best;
  for (std::size_t i = 0; i < length; ++i) {
    std::vector<double> values;
    for (const auto& run : baseline.runs) {
      const auto v = i < run.points.size() && !run.failed ? run.points[i].find(target.metric) : std::nullopt;
      values.push_back(v.value_or(worst_value(target.metric)));
    }
    const double middle = median(std::move(values));
    if (std::isfinite(middle) && (!best || !at_least_as_good(target.metric, *best, middle)))
      best = middle;
  }
  return best;
}

std::vector<band_point> median_curve(const std::vector<run_result>& runs, std::string_view metric) {
  std::vector<band_point> out;
  for (std::size_t i = 0;; ++i) {
    auto values = figures_at(runs, i, metric);
    if (values.empty() || 2 * values.size() < runs.size())
      return out;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    band_point p;
    p.epoch = median_of(runs, i, &evaluation_point::epoch);
    p.seconds = median_of(runs, i, &evaluation_point::seconds);
    p.samples = median_of(runs, i, &evaluation_point::samples);
    p.low = *low;
    p.high = *high;
    p.middle = median(std::move(values));
    out.push_back(p);
  }
}

} // namespace triage
