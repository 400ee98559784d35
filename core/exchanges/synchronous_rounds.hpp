#pragma once

#include "core/exchange.hpp"

namespace triage {

/// Everyone takes part in every round and starts it from the same version; a round is merged when all have
/// reported.
class synchronous_rounds : public exchange_policy {
public:
  [[nodiscard]] bool may_start(const member_view& member, const cluster_view& view) const override;
  [[nodiscard]] bool merge_now(const cluster_view& view) const override;
  [[nodiscard]] bool at_boundary(const cluster_view& view) const override;
  [[nodiscard]] bool merges_rounds() const override { return true; }
  [[nodiscard]] std::uint64_t lag_bound() const override { return 1; }
};

} // namespace triage
