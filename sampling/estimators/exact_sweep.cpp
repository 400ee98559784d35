#include "sampling/estimators/estimators.hpp"
#include "sampling/estimators/in_turn.hpp"

#include <cmath>

namespace triage {

namespace {

/// All points anew each time so many epochs have been drawn, the first time before the first plan.
class exact_sweep : public in_turn {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "every_epochs", .doc = "epochs between sweeps", .min = 0.01}, every_);
    v.field({.name = "wait", .doc = "whether plans wait for a sweep to be complete"}, wait_);
  }

protected:
  [[nodiscard]] std::uint64_t owed(const refresh_request& r) const override {
    const double epochs = static_cast<double>(r.samples_drawn) / static_cast<double>(points());
    return points() * (1 + static_cast<std::uint64_t>(epochs / every_));
  }
  [[nodiscard]] std::uint64_t awaited(const refresh_request& r) const override { return wait_ ? owed(r) : 0; }

private:
  double every_ = 1.0;
  bool wait_ = false;
};

} // namespace

std::unique_ptr<refresh_policy> make_exact_sweep() {
  return std::make_unique<exact_sweep>();
}

} // namespace triage
