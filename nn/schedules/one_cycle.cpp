#include "nn/schedules/schedules.hpp"

#include <cmath>
#include <numbers>

namespace triage {

namespace {

/// initial_factor -> 1 until peak_at, then 1 -> final_factor, both along half a cosine (as PyTorch's
/// OneCycleLR, whose max_lr is the base rate here).
class one_cycle_schedule : public schedule {
protected:
  void visit_shape(option_visitor& v) override {
    v.field({.name = "initial_factor", .doc = "factor at the start", .min = 0.0, .max = 1.0},
            initial_factor_);
    v.field({.name = "peak_at",
             .doc = "part of the run after which the base rate is reached",
             .min = 0.0,
             .max = 1.0},
            peak_at_);
    v.field({.name = "final_factor", .doc = "factor at the end of the run", .min = 0.0, .max = 1.0},
            final_factor_);
  }
  [[nodiscard]] double shape(const training_progress& progress) const override {
    const double f = progress.fraction();
    if (f < peak_at_)
      return between(initial_factor_, 1.0, f / peak_at_);
    return peak_at_ < 1.0 ? between(1.0, final_factor_, (f - peak_at_) / (1.0 - peak_at_)) : 1.0;
  }

private:
  static double between(double from, double to, double part) {
    return to + (from - to) * (1.0 + std::cos(std::numbers::pi * part)) / 2.0;
  }

  double initial_factor_ = 0.04;
  double peak_at_ = 0.3;
  double final_factor_ = 0.0;
};

} // namespace

std::unique_ptr<schedule> make_one_cycle_schedule() {
  return std::make_unique<one_cycle_schedule>();
}

} // namespace triage
