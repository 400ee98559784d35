#include "sampling/estimators/estimators.hpp"
#include "sampling/estimators/in_turn.hpp"

#include <cmath>

namespace triage {

namespace {

/// Zhou & Gao, IC2E 2021: in an iteration that trains k points, r = renew_ratio * k others are measured,
/// round robin. With `wait` the account is exact at every plan; without it estimators may lag behind.
class renew_round_robin : public in_turn {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "renew_ratio",
             .doc = "points measured for each point trained (the paper: 1 % of the shard for every 4 %)",
             .min = 0.0,
             .max = 100.0},
            ratio_);
    v.field({.name = "initial_sweep", .doc = "whether all points are measured before the first plan"},
            sweep_);
    v.field({.name = "wait", .doc = "whether a plan waits for the measurements owed so far"}, wait_);
  }

  [[nodiscard]] bool uses_estimators() const override { return sweep_ || ratio_ > 0.0; }

protected:
  [[nodiscard]] std::uint64_t owed(const refresh_request& r) const override {
    const auto renewed = static_cast<std::uint64_t>(
        std::floor(ratio_ * static_cast<double>(r.samples_drawn) + 1e-9)); // 0.25 * 2400 is 600
    return (sweep_ ? points() : 0) + renewed;
  }
  [[nodiscard]] std::uint64_t awaited(const refresh_request& r) const override {
    if (wait_)
      return owed(r);
    return sweep_ ? points() : 0;
  }
  [[nodiscard]] std::uint64_t smallest_order() const override { return wait_ ? 1 : 256; }

private:
  double ratio_ = 0.25;
  bool sweep_ = false;
  bool wait_ = false;
};

} // namespace

std::unique_ptr<refresh_policy> make_renew_round_robin() {
  return std::make_unique<renew_round_robin>();
}

} // namespace triage
