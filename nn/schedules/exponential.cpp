#include "nn/schedules/schedules.hpp"

#include <cmath>
#include <optional>

namespace triage {

namespace {

/// With per_epoch or per_second (or both): their powers, whatever the run's length. With neither:
/// final_factor^fraction.
class exponential_schedule : public schedule {
public:
  [[nodiscard]] result<void> check() const override {
    if ((per_epoch_ || per_second_) && final_factor_ != usual_end)
      return configuration_error(
          "\"final_factor\" says nothing where the factor of an epoch or a second is given; "
          "give either it, or \"per_epoch\" or \"per_second\"");
    return {};
  }

protected:
  void visit_shape(option_visitor& v) override {
    v.field({.name = "final_factor",
             .doc = "factor at the end of the run, when neither per_epoch nor per_second is given",
             .min = 1e-12,
             .max = 1.0},
            final_factor_);
    v.field(
        {.name = "per_epoch", .doc = "factor of one epoch; null: see final_factor", .min = 1e-12, .max = 1.0},
        per_epoch_);
    v.field({.name = "per_second",
             .doc = "factor of one training second; null: see final_factor",
             .min = 1e-12,
             .max = 1.0},
            per_second_);
  }
  [[nodiscard]] double shape(const training_progress& progress) const override {
    if (!per_epoch_ && !per_second_)
      return std::pow(final_factor_, progress.fraction());
    return std::pow(per_epoch_.value_or(1.0), progress.epochs) *
           std::pow(per_second_.value_or(1.0), progress.seconds);
  }

private:
  static constexpr double usual_end = 0.01;
  double final_factor_ = usual_end;
  std::optional<double> per_epoch_;
  std::optional<double> per_second_;
};

} // namespace

std::unique_ptr<schedule> make_exponential_schedule() {
  return std::make_unique<exponential_schedule>();
}

} // namespace triage
