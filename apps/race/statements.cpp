#include "apps/race/statements.hpp"

#include "apps/race/format.hpp"
#include "apps/race/metric.hpp"
#include "core/registry.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

namespace triage {

namespace {

constexpr std::size_t enough_seeds = 5;

std::string interval_text(const interval& i) {
  const auto bound = [](double v) {
    return std::isinf(v) ? std::string("not reached") : fmt::format("{:.2f}", v);
  };
  return fmt::format("{} to {}", bound(i.low), bound(i.high));
}

std::string of_seeds(const arm_target& arm) {
  return fmt::format("{} of {} seeds", arm.reached, arm.crossings.size());
}

/// ": at least 1.44x (1.46x fewer gradients)"
std::string at_least_text(const arm_target& arm) {
  const auto& seconds = arm.costs[0].at_least;
  const auto& samples = arm.costs[1].at_least;
  if (!seconds || !samples)
    return {};
  return fmt::format(": at least {} sooner, with {} fewer gradients", ratio_text(*seconds),
                     ratio_text(*samples));
}

std::string statement(const std::string& base_name, const std::string& name, const std::string& what,
                      const arm_target& base, const arm_target& arm) {
  const auto& cost = arm.costs.front();
  const auto& reference = base.costs.front();
  if (arm.reached == 0 && base.reached == 0)
    return fmt::format("neither {} nor {} reaches {}", name, base_name, what);
  if (!cost.ratio)
    return fmt::format("{} reaches {} in {}, {} in {}: too few for a median of either", name, what,
                       of_seeds(arm), base_name, of_seeds(base));
  std::string verdict;
  if (!cost.bounds)
    verdict = "; one seed says nothing about chance";
  else if (cost.bounds->contains(1.0))
    verdict = "; no difference that this race could show";
  else if (cost.bounds->high < 1.0)
    verdict = "; it is slower";
  if (arm.reached == 0)
    return fmt::format("{} does not reach {} with any seed, {} does in {} ({}){}", name, what, base_name,
                       of_seeds(base), seconds_text(reference.middle), verdict);
  if (std::isinf(cost.middle))
    return fmt::format("{} reaches {} in only {}, {} in {} ({}){}", name, what, of_seeds(arm), base_name,
                       of_seeds(base), seconds_text(reference.middle), verdict);
  if (base.reached == 0)
    return fmt::format("{} reaches {} in {}, {}; {} does not with any seed{}{}", name, what,
                       seconds_text(cost.middle), of_seeds(arm), base_name, at_least_text(arm), verdict);
  if (std::isinf(reference.middle))
    return fmt::format("{} reaches {} in {}, {}; {} does so in only {}{}{}", name, what,
                       seconds_text(cost.middle), of_seeds(arm), base_name, of_seeds(base),
                       at_least_text(arm), verdict);
  return fmt::format("{} reaches {} in {} against {} of {}: {}{}, {} against {}{}", name, what,
                     seconds_text(cost.middle), seconds_text(reference.middle), base_name,
                     ratio_text(*cost.ratio), cost.bounds ? " (" + interval_text(*cost.bounds) + ")" : "",
                     of_seeds(arm), of_seeds(base), verdict);
}

void add_data_remark(const race_outcome& race, std::vector<std::string>& out) {
  for (std::size_t s = 0; s < race.spec.seeds.size(); ++s) {
    std::set<std::string> prints;
    for (const auto& arm : race.arms)
      if (!arm.runs[s].data_fingerprint.empty())
        prints.insert(arm.runs[s].data_fingerprint);
    if (prints.size() > 1) {
      out.emplace_back("the arms train on different data: their losses and accuracies do not compare");
      return;
    }
  }
}

void add_origin_remark(const race_outcome& race, std::vector<std::string>& out) {
  std::set<std::string> origins;
  std::size_t older = 0;
  for (const auto& arm : race.arms)
    for (const auto& run : arm.runs) {
      if (!run.made_on.empty())
        origins.insert(run.made_on);
      older += run.older_than_program ? 1 : 0;
    }
  if (origins.size() > 1)
    out.emplace_back("the runs were made on different machines or by different builds: their seconds do not "
                     "compare");
  else if (older > 0)
    out.push_back(
        fmt::format("{} runs are older than the program: they may have been made by another version of "
                    "it; an empty --dir makes them anew",
                    older));
}

bool measured_by_all(const race_outcome& race, const std::string& metric) {
  return std::all_of(race.arms.begin(), race.arms.end(), [&](const auto& arm) {
    return std::any_of(arm.runs.begin(), arm.runs.end(), [&](const auto& run) {
      return std::any_of(run.points.begin(), run.points.end(),
                         [&](const auto& p) { return p.find(metric).has_value(); });
    });
  });
}

} // namespace

std::vector<std::string> statements(const race_spec& spec, const target_outcome& target) {
  std::vector<std::string> out;
  if (!target.value) {
    out.push_back(
        fmt::format("{} {} has no value to reach: {} did not measure it or failed in most seeds",
                    readable(target.target.metric),
                    target.target.rule == target_rule::best_median ? "(best median)" : "(final median)",
                    spec.arms.front().name));
    return out;
  }
  const std::string what = fmt::format("{} {}", readable(target.target.metric), figure_text(*target.value));
  for (std::size_t i = 1; i < target.arms.size(); ++i)
    out.push_back(
        statement(spec.arms.front().name, spec.arms[i].name, what, target.arms.front(), target.arms[i]));
  if (target.arms.size() == 1)
    out.push_back(fmt::format("{} reaches {} in {} ({})", spec.arms.front().name, what,
                              seconds_text(target.arms.front().costs.front().middle),
                              of_seeds(target.arms.front())));
  return out;
}

std::string describe(const race_spec& spec, const target_outcome& target) {
  std::string out = readable(target.target.metric);
  if (target.value)
    out += " " + figure_text(*target.value);
  const auto& first = spec.arms.front().name;
  if (target.target.rule == target_rule::final_median)
    out += fmt::format(" (where {} ends, median over seeds)", first);
  if (target.target.rule == target_rule::best_median)
    out += fmt::format(" (the best of {}'s median curve)", first);
  return out;
}

std::vector<std::string> remarks(const race_outcome& race) {
  std::vector<std::string> out;
  const auto& spec = race.spec;
  if (spec.seeds.size() < enough_seeds)
    out.push_back(fmt::format("{} seeds are few: the interval is too narrow to trust; use {} or more",
                              spec.seeds.size(), enough_seeds));
  for (std::size_t i = 0; i < race.arms.size(); ++i)
    for (const auto& run : race.arms[i].runs)
      if (run.failed)
        out.push_back(fmt::format("{} failed with seed {}: {}", spec.arms[i].name, run.seed, run.problem));
  for (const auto& tuning : race.tuning)
    if (!tuning.remark.empty())
      out.push_back(tuning.remark);
  for (const auto seed : spec.tuning_seeds)
    if (!race.tuning.empty() && std::find(spec.seeds.begin(), spec.seeds.end(), seed) != spec.seeds.end())
      out.push_back(fmt::format("seed {} both tunes and races: the tuned arms are favoured a little", seed));
  add_data_remark(race, out);
  add_origin_remark(race, out);
  std::set<std::string> unmeasured;
  for (const auto& target : race.targets) {
    if (!measured_by_all(race, target.target.metric))
      unmeasured.insert(target.target.metric);
    for (std::size_t i = 0; i < target.arms.size(); ++i)
      if (std::any_of(target.arms[i].crossings.begin(), target.arms[i].crossings.end(),
                      [](const auto& c) { return c && c->at_first_evaluation; }))
        out.push_back(
            fmt::format("{} has {} at its first evaluation already: its cost is an upper bound; evaluate "
                        "more often",
                        spec.arms[i].name, describe(spec, target)));
  }
  for (const auto& metric : unmeasured)
    out.push_back(fmt::format("{} was not measured by every arm", readable(metric)));
  return out;
}

std::vector<std::string> caveats() {
  return {
      "The clock of a run counts training: gradients, merges, sampling, scoring and waiting, and the first "
      "step, which builds its kernels (tens of milliseconds: much in a run of a second). Loading the data, "
      "evaluation and checkpoints are off it.",
      "Compute seconds add up the busy time of workers and of scoring, whatever ran at the same time. Busy "
      "is "
      "measured by the clock on the wall: threads that share a core count as busy while they wait for it, so "
      "with more threads than cores this is more than the cores have done.",
      "A crossing lies on the straight line between two evaluations; it is not known better than that.",
      "Intervals are 95 % bootstrap intervals of the ratio of medians over seeds. They know the chance of "
      "seeds, "
      "not that of this machine, data set or model; with few seeds they are too narrow.",
      "How an arm ends beside the baseline is compared seed by seed, with a 95 % interval of the mean "
      "difference by Student's t. Of several arms and figures one in twenty looks different by chance.",
      "A figure taken from the baseline's end favours no recipe, and the baseline reaches it, by "
      "construction, in "
      "about half of its seeds.",
      "Where runs share a processor with anything else, seconds say as much about that as about the recipe; "
      "gradient samples do not.",
  };
}

} // namespace triage
