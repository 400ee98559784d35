#include "nn/schedules/schedules.hpp"

#include <cmath>
#include <numbers>

namespace triage {

namespace {

/// From 1 to final_factor along (1 + cos) / 2.
class cosine_schedule : public schedule {
protected:
  void visit_shape(option_visitor& v) override {
    v.field({.name = "final_factor", .doc = "factor at the end of the run", .min = 0.0, .max = 1.0},
            final_factor_);
  }
  [[nodiscard]] double shape(const training_progress& progress) const override {
    const double height = (1.0 + std::cos(std::numbers::pi * progress.fraction())) / 2.0;
    return final_factor_ + (1.0 - final_factor_) * height;
  }

private:
  double final_factor_ = 0.0;
};

} // namespace

std::unique_ptr<schedule> make_cosine_schedule() {
  return std::make_unique<cosine_schedule>();
}

} // namespace triage
