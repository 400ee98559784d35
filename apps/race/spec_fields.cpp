#include "apps/race/spec_fields.hpp"

#include "apps/race/metric.hpp"

namespace triage {

namespace {

std::vector<std::string_view> metric_names() {
  const auto all = race_metrics();
  return {all.begin(), all.end()};
}

} // namespace

void race_fields::visit(option_visitor& v) {
  v.field({.name = "schema_version", .doc = "version of this format; 1", .min = 1, .max = 1},
          values.schema_version);
  v.field({.name = "name", .doc = "names the race and its directory"}, values.name);
  v.field({.name = "base",
           .doc = "the run description that all arms start from: a path relative to this file, or the object",
           .required = true,
           .type = "path or object"},
          base);
  v.field({.name = "seeds", .doc = "each arm is run once with each of them", .min = 0}, values.seeds);
  v.field({.name = "cores",
           .doc = "processor cores of every run, which is pinned to them",
           .min = 1,
           .max = 4096},
          values.cores);
  v.field({.name = "parallel", .doc = "runs at a time, each on cores of its own", .min = 1, .max = 4096},
          values.parallel);
  v.field({.name = "evaluate_every_epochs",
           .doc = "epochs between the points of the curves; evaluation is off the clock",
           .min = 1e-6},
          values.evaluate_every_epochs);
  v.group({.name = "tuning", .doc = "how the best point of a grid is chosen"}, [this](option_visitor& t) {
    t.field({.name = "seeds", .doc = "each point of a grid is run once with each of them", .min = 0},
            values.tuning_seeds);
    t.field({.name = "metric",
             .doc = "the best mean of this figure at the end of the runs wins",
             .choices = metric_names()},
            values.tuning_metric);
  });
  v.field({.name = "arms",
           .doc = "what is compared; the first one is the baseline; see Arm",
           .required = true,
           .type = "array of arms"},
          arms);
  v.field({.name = "targets",
           .doc = "figures whose first crossing is timed; see Target",
           .required = true,
           .type = "array of targets"},
          targets);
}

void arm_fields::visit(option_visitor& v) {
  v.field({.name = "name", .doc = "letters, digits, and - _ . +", .required = true}, name);
  v.field({.name = "set", .doc = "dotted path -> value: what differs from the base", .type = "object"}, set);
  v.field({.name = "grid",
           .doc = "dotted path -> array of values: all combinations are tried with the tuning seeds, and the "
                  "best goes into the race",
           .type = "object"},
          grid);
  v.field({.name = "grid_of", .doc = "takes over the values that were chosen for the arm of this name"},
          grid_of);
}

void target_fields::visit(option_visitor& v) {
  v.field({.name = "metric",
           .doc = "accuracies are reached from below, losses from above",
           .choices = metric_names(),
           .required = true},
          metric);
  v.field({.name = "value",
           .doc = "a number; \"final_median_of_first_arm\": the median over seeds of the baseline's last "
                  "evaluation; \"best_median_of_first_arm\": the best value of the baseline's median curve",
           .required = true,
           .type = "number or rule"},
          value);
}

std::vector<spec_section> describe_race_spec() {
  race_fields race;
  arm_fields arm;
  target_fields target;
  return {{"Race", describe_options([&](option_visitor& v) { race.visit(v); })},
          {"Arm", describe_options([&](option_visitor& v) { arm.visit(v); })},
          {"Target", describe_options([&](option_visitor& v) { target.visit(v); })}};
}

} // namespace triage
