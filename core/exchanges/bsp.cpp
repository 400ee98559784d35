#include "core/exchanges/exchanges.hpp"

#include <algorithm>

namespace triage {

namespace {

/// Bulk synchronous: everyone trains on the same version; the round is merged when all have reported.
class bsp : public exchange_policy {
public:
  [[nodiscard]] bool may_start(const member_view& member, const cluster_view& view) const override {
    return member.clock == view.smallest_clock();
  }
  [[nodiscard]] bool merge_now(const cluster_view& view) const override {
    return view.draining ? !view.any_computing() : at_boundary(view);
  }
  [[nodiscard]] bool at_boundary(const cluster_view& view) const override {
    const auto round = view.smallest_clock();
    return !view.any_computing() && std::all_of(view.members.begin(), view.members.end(),
                                                [&](const auto& m) { return m.clock == round; });
  }
  [[nodiscard]] bool merges_rounds() const override { return true; }
  [[nodiscard]] std::uint64_t lag_bound() const override { return 1; }
};

} // namespace

std::unique_ptr<exchange_policy> make_bsp() {
  return std::make_unique<bsp>();
}

} // namespace triage
