#include "nn/schedules/schedules.hpp"

#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

namespace triage {

namespace {

/// With every_epochs or every_seconds (or both): one drop for each period that has passed. With neither: one
/// drop at each point of at_percent.
class step_schedule : public schedule {
public:
  [[nodiscard]] result<void> check() const override {
    if ((every_epochs_ || every_seconds_) && at_percent_ != usual_points)
      return configuration_error("\"at_percent\" says nothing where drops have a period; give either it, or "
                                 "\"every_epochs\" or \"every_seconds\"");
    return {};
  }

protected:
  void visit_shape(option_visitor& v) override {
    v.field({.name = "drop", .doc = "factor of one drop", .min = 0.0, .max = 1.0}, drop_);
    v.field({.name = "at_percent",
             .doc = "percent of the run at which the rate drops, when no period is given",
             .min = 0.0,
             .max = 100.0},
            at_percent_);
    v.field({.name = "every_epochs", .doc = "epochs between drops; null: see at_percent", .min = 1e-9},
            every_epochs_);
    v.field(
        {.name = "every_seconds", .doc = "training seconds between drops; null: see at_percent", .min = 1e-9},
        every_seconds_);
  }
  [[nodiscard]] double shape(const training_progress& progress) const override {
    double drops = 0.0;
    if (every_epochs_)
      drops += std::floor(progress.epochs / *every_epochs_);
    if (every_seconds_)
      drops += std::floor(progress.seconds / *every_seconds_);
    if (!every_epochs_ && !every_seconds_)
      for (const auto percent : at_percent_)
        drops += progress.fraction() * 100.0 >= static_cast<double>(percent) ? 1.0 : 0.0;
    return std::pow(drop_, drops);
  }

private:
  double drop_ = 0.1;
  inline static const std::vector<std::int64_t> usual_points{50, 75};
  std::vector<std::int64_t> at_percent_ = usual_points;
  std::optional<double> every_epochs_;
  std::optional<double> every_seconds_;
};

} // namespace

std::unique_ptr<schedule> make_step_schedule() {
  return std::make_unique<step_schedule>();
}

} // namespace triage
