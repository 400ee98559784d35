#include "apps/race/endings.hpp"

#include "apps/race/format.hpp"
#include "apps/race/metric.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

namespace triage {

namespace {

std::optional<double> final_of(const run_result& run, const std::string& metric) {
  const auto value = run.failed ? std::nullopt : run.final_figure(metric);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

double median_seconds(const arm_outcome& arm) {
  std::vector<double> seconds;
  for (const auto& run : arm.runs)
    if (!run.failed)
      seconds.push_back(run.train_seconds);
  return median(std::move(seconds));
}

std::optional<ending> ending_of(const race_outcome& race, const std::string& metric, std::size_t arm) {
  const auto& base = race.arms.front().runs;
  const auto& runs = race.arms[arm].runs;
  std::vector<double> differences;
  for (std::size_t s = 0; s < std::min(base.size(), runs.size()); ++s)
    if (const auto a = final_of(runs[s], metric), b = final_of(base[s], metric); a && b)
      differences.push_back(*a - *b);
  if (differences.empty())
    return std::nullopt;
  ending e{metric, arm, differences.size(), 0.0, std::nullopt, 0.0};
  for (const double d : differences)
    e.difference += d / static_cast<double>(differences.size());
  e.bounds = mean_interval(differences);
  e.time_share = median_seconds(race.arms[arm]) / median_seconds(race.arms.front());
  return e;
}

/// "0.0014 better", "0.02 worse"
std::string gain_text(const std::string& metric, double difference) {
  const bool better = at_least_as_good(metric, difference, 0.0);
  return fmt::format("{:.2g} {}", std::abs(difference), better ? "better" : "worse");
}

} // namespace

std::vector<ending> endings(const race_outcome& race) {
  std::vector<ending> out;
  std::set<std::string> done;
  for (const auto& target : race.spec.targets)
    if (done.insert(target.metric).second)
      for (std::size_t arm = 1; arm < race.arms.size(); ++arm)
        if (auto e = ending_of(race, target.metric, arm))
          out.push_back(std::move(*e));
  return out;
}

std::string to_sentence(const race_outcome& race, const ending& e) {
  const auto& base = race.spec.arms.front().name;
  std::string text = fmt::format("{} ends with a {} {} than {}", race.spec.arms[e.arm].name,
                                 readable(e.metric), gain_text(e.metric, e.difference), base);
  if (e.bounds)
    text += fmt::format(" ({} to {}, {} pairs of seeds)", gain_text(e.metric, e.bounds->low),
                        gain_text(e.metric, e.bounds->high), e.pairs);
  if (std::isfinite(e.time_share))
    text += fmt::format(", in {:.2f} of its seconds", e.time_share);
  if (!e.bounds)
    text += "; one pair says nothing about chance";
  else if (e.bounds->contains(0.0))
    text += "; no difference that this race could show";
  return text;
}

} // namespace triage
