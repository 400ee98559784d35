#include "nn/schedule.hpp"

#include "core/component.hpp"
#include "nn/schedules/schedules.hpp"

#include <algorithm>
#include <array>

namespace triage {

namespace {

double fraction_of(double done, const std::optional<double>& total) {
  if (!total)
    return 0.0;
  return *total > 0.0 ? std::clamp(done / *total, 0.0, 1.0) : 1.0;
}

double ramp(double done, double length) {
  return length > 0.0 ? std::clamp(done / length, 0.0, 1.0) : 1.0;
}

} // namespace

double training_progress::fraction() const {
  return std::max(fraction_of(epochs, total_epochs), fraction_of(seconds, total_seconds));
}

double schedule::factor(const training_progress& progress) const {
  const double warmth =
      std::min(ramp(progress.epochs, warmup_epochs_), ramp(progress.seconds, warmup_seconds_));
  return warmth * shape(progress);
}

void schedule::visit(option_visitor& v) {
  v.field({.name = "warmup_epochs",
           .doc = "epochs over which the rate rises linearly from 0",
           .min = 0.0,
           .max = 1e9},
          warmup_epochs_);
  v.field({.name = "warmup_seconds",
           .doc = "training seconds over which the rate rises linearly from 0",
           .min = 0.0,
           .max = 1e9},
          warmup_seconds_);
  visit_shape(v);
}

registry_table<schedule_factory> schedules() {
  static constexpr std::array<registry_entry<schedule_factory>, 5> table = {{
      {"constant", "the base rate throughout", make_constant_schedule},
      {"step", "drops by a factor at points of the run, or every so many epochs or seconds",
       make_step_schedule},
      {"exponential", "falls by the same ratio in equal times", make_exponential_schedule},
      {"cosine", "falls along half a cosine to the end of the run (Loshchilov & Hutter, ICLR 2017)",
       make_cosine_schedule},
      {"one_cycle", "rises to the base rate, then falls to the end of the run (Smith & Topin, 2019)",
       make_one_cycle_schedule},
  }};
  return table;
}

result<std::unique_ptr<schedule>> make_schedule(const json_value& description, const json_place& place) {
  auto made = make_component<schedule>(schedules(), "schedule", description, place);
  if (made.ok())
    if (const auto fits = made.value()->check(); !fits.ok())
      return json_error(place, description, fits.error().message);
  return made;
}

} // namespace triage
