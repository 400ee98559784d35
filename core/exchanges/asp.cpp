#include "core/exchanges/exchanges.hpp"

#include <limits>

namespace triage {

namespace {

/// Fully asynchronous: nobody waits for anybody.
class asp : public exchange_policy {
public:
  [[nodiscard]] bool may_start(const member_view&, const cluster_view&) const override { return true; }
  [[nodiscard]] bool merge_now(const cluster_view&) const override { return true; }
  [[nodiscard]] bool at_boundary(const cluster_view&) const override { return true; }
  [[nodiscard]] std::uint64_t lag_bound() const override { return std::numeric_limits<std::uint64_t>::max(); }
};

} // namespace

std::unique_ptr<exchange_policy> make_asp() {
  return std::make_unique<asp>();
}

} // namespace triage
