#include "core/exchanges/exchanges.hpp"

namespace triage {

namespace {

/// Stale synchronous (Ho et al., NIPS 2013): a gradient is merged when it arrives, and nobody runs more than
/// `staleness` rounds ahead of the slowest.
class ssp : public exchange_policy {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "staleness",
             .doc = "rounds that a worker may be ahead of the slowest one",
             .min = 0,
             .max = 1e6},
            staleness_);
  }
  [[nodiscard]] bool may_start(const member_view& member, const cluster_view& view) const override {
    return member.clock - view.smallest_clock() <= static_cast<std::uint64_t>(staleness_);
  }
  [[nodiscard]] bool merge_now(const cluster_view&) const override { return true; }
  [[nodiscard]] bool at_boundary(const cluster_view&) const override { return true; }
  [[nodiscard]] std::uint64_t lag_bound() const override {
    return static_cast<std::uint64_t>(staleness_) + 1;
  }

private:
  std::int64_t staleness_ = 3;
};

} // namespace

std::unique_ptr<exchange_policy> make_ssp() {
  return std::make_unique<ssp>();
}

} // namespace triage
