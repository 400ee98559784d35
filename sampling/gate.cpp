#include "sampling/gate.hpp"

#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <utility>

namespace triage {

namespace {
/// While the gate is closed nothing is found: by so much a look what was found comes to count for less, so
/// that it is tried again after some epochs.
constexpr double forgotten_a_look = 0.02;
} // namespace

void gate::visit(option_visitor& v) {
  v.field(
      {.name = "mode",
       .doc = "off: always prioritise; gain: by the noise that the present scores would save, as far as what "
              "they promised before was found, which is reproducible; measured: by that times the measured "
              "samples/s",
       .choices = {"off", "gain", "measured"}},
      mode_);
  v.field({.name = "gain_min", .doc = "prioritization is turned on from this gain", .min = 1.0, .max = 100.0},
          gain_min_);
  v.field({.name = "hysteresis", .doc = "and off when it has fallen so far below", .min = 0.0, .max = 10.0},
          hysteresis_);
  v.field({.name = "new_share", .doc = "weight of a new look in the averages", .min = 0.01, .max = 1.0},
          smoothing_);
  v.field({.name = "looks_per_epoch", .doc = "how often the decision is made", .min = 0.1, .max = 1e4},
          looks_per_epoch_);
}

void gate::look(const gate_evidence& evidence) {
  next_look_ = evidence.epochs + 1.0 / looks_per_epoch_;
  const auto blend = [&](std::optional<double>& average, const std::optional<double>& fresh) {
    if (fresh)
      average = average ? *average + smoothing_ * (*fresh - *average) : *fresh;
  };
  if (evidence.found && promised_)
    blend(kept_, *evidence.found / *promised_);
  else if (!open_ && kept_)
    *kept_ += forgotten_a_look * (1.0 - *kept_);
  blend(promised_, evidence.gain);
  blend(speed_, evidence.speed);
  if (!promised_)
    return;
  const double gain = *promised_ * kept_.value_or(1.0);
  worth_ = gain * (uses_speed() ? speed_.value_or(1.0) : 1.0);
  const bool was = open_;
  open_ = *worth_ >= (open_ ? gain_min_ - hysteresis_ : gain_min_);
  if (open_ == was)
    return;
  reason_ = fmt::format("prioritization is {} at epoch {:.2f}: the scores promise a gain of {:.2f}",
                        open_ ? "on" : "off", evidence.epochs, *promised_);
  if (kept_)
    reason_ += fmt::format(", of which {:.2f} was found in what they chose", *kept_);
  if (uses_speed() && speed_)
    reason_ += fmt::format(" at {:.2f} of the uniform speed", *speed_);
  if (kept_ || (uses_speed() && speed_))
    reason_ += fmt::format(", together {:.2f}", *worth_);
  reason_ +=
      fmt::format(" ({} {:.2f})", open_ ? "at least" : "below", open_ ? gain_min_ : gain_min_ - hysteresis_);
}

std::string gate::take_reason() {
  return std::exchange(reason_, {});
}

saved_state gate::save() const {
  constexpr double absent = std::numeric_limits<double>::quiet_NaN();
  saved_state state;
  state.put("figures",
            std::vector<double>{next_look_, promised_.value_or(absent), kept_.value_or(absent),
                                speed_.value_or(absent), worth_.value_or(absent), open_ ? 1.0 : 0.0});
  return state;
}

result<void> gate::load(const saved_state& state) {
  const auto figures = state.get<double>("figures");
  if (!figures.ok())
    return figures.error();
  if (figures->size() != 6)
    return data_error("the saved gate has an unexpected length: it may be another version's");
  const auto optional = [](double v) { return std::isnan(v) ? std::nullopt : std::optional<double>(v); };
  next_look_ = (*figures)[0];
  promised_ = optional((*figures)[1]);
  kept_ = optional((*figures)[2]);
  speed_ = optional((*figures)[3]);
  worth_ = optional((*figures)[4]);
  open_ = (*figures)[5] != 0.0;
  return {};
}

} // namespace triage
