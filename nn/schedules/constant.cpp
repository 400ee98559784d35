#include "nn/schedules/schedules.hpp"

namespace triage {

namespace {

class constant_schedule : public schedule {
protected:
  [[nodiscard]] double shape(const training_progress&) const override { return 1.0; }
};

} // namespace

std::unique_ptr<schedule> make_constant_schedule() {
  return std::make_unique<constant_schedule>();
}

} // namespace triage
