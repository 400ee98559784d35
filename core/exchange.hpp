#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"

#include <cstdint>
#include <memory>
#include <span>

namespace triage {

/// What an exchange policy may know about one live worker. Lost workers are not in the view.
struct member_view {
  std::uint64_t id = 0;
  std::uint64_t clock = 0; ///< rounds finished; a newcomer starts at the smallest clock of the others
  bool computing = false;  ///< has an order that it has not answered yet
};

struct cluster_view {
  std::span<const member_view> members;
  bool draining =
      false; ///< no new round will start: what is finished must be merged without waiting for more

  [[nodiscard]] std::uint64_t smallest_clock() const;
  [[nodiscard]] bool any_computing() const;
};

/// When a worker may start its next round, and when finished gradients are merged into the parameters.
/// Pure decisions: no handles, no clocks, no state. A dead member must never keep the others waiting, which
/// holds because it leaves the view.
class exchange_policy : public configurable {
public:
  [[nodiscard]] virtual bool may_start(const member_view& member, const cluster_view& view) const = 0;
  /// Whether the gradients that have arrived and are not merged yet are merged now (as their mean weighted by
  /// samples). Asked after every arrival and every loss.
  [[nodiscard]] virtual bool merge_now(const cluster_view& view) const = 0;
  /// Whether the run may pause here (evaluation, checkpoint) without cutting a round in two.
  [[nodiscard]] virtual bool at_boundary(const cluster_view& view) const = 0;
  /// Whether a merge takes the gradients of everybody, so that a sum of them may begin before all are there.
  [[nodiscard]] virtual bool merges_rounds() const { return false; }
  /// The largest lead of one member over the slowest that it permits; no bound: the largest uint64.
  [[nodiscard]] virtual std::uint64_t lag_bound() const = 0;
};

using exchange_factory = std::unique_ptr<exchange_policy> (*)();
/// bsp (bulk synchronous), ssp (stale synchronous, `staleness`), asp (asynchronous).
[[nodiscard]] registry_table<exchange_factory> exchange_policies();
/// From {"policy": NAME, …}.
[[nodiscard]] result<std::unique_ptr<exchange_policy>> make_exchange(const json_value& description,
                                                                     const json_place& place);

} // namespace triage
