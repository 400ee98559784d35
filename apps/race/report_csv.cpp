#include "apps/race/format.hpp"
#include "apps/race/metric.hpp"
#include "apps/race/report.hpp"

#include <fmt/format.h>

namespace triage {

// Names of arms and metrics need no quotes: they hold neither commas nor quotes (read_race_spec).

std::string report_csv(const race_outcome& race) {
  std::string out =
      "metric,value,arm,seed,reached,seconds,gradient_samples,compute_seconds,at_first_evaluation,"
      "failed\n";
  for (const auto& target : race.targets)
    for (std::size_t i = 0; i < target.arms.size(); ++i)
      for (std::size_t s = 0; s < target.arms[i].crossings.size(); ++s) {
        const auto& c = target.arms[i].crossings[s];
        out +=
            fmt::format("{},{},{},{},{}", target.target.metric, target.value ? exact_text(*target.value) : "",
                        race.spec.arms[i].name, race.spec.seeds[s], c ? 1 : 0);
        for (const auto cost : race_costs)
          out += "," + exact_text(cost_of(c, cost));
        out +=
            fmt::format(",{},{}\n", c && c->at_first_evaluation ? 1 : 0, race.arms[i].runs[s].failed ? 1 : 0);
      }
  return out;
}

std::string curves_csv(const race_outcome& race) {
  std::string out = "arm,seed,epoch,seconds,gradient_samples,samples_scored,compute_seconds";
  for (const auto metric : race_metrics())
    out += fmt::format(",{}", metric);
  out += "\n";
  for (std::size_t i = 0; i < race.arms.size(); ++i)
    for (const auto& run : race.arms[i].runs)
      for (const auto& p : run.points) {
        out += fmt::format("{},{},{},{},{},{},{}", race.spec.arms[i].name, run.seed, p.epoch, p.seconds,
                           p.samples, p.scored, p.compute_seconds);
        for (const auto metric : race_metrics()) {
          const auto v = p.find(metric);
          out += "," + (v ? exact_text(*v) : "");
        }
        out += "\n";
      }
  return out;
}

} // namespace triage
