#pragma once

#include "core/communication_period.hpp"
#include "core/compressor.hpp"
#include "core/local_round.hpp"
#include "core/options.hpp"
#include "core/registry.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace triage {

/// What an exchange policy may know about one live worker. Lost workers are not in the view.
struct member_view {
  std::uint64_t id = 0;
  std::uint64_t clock = 0;   ///< rounds finished; a newcomer starts at the smallest clock of the others
  bool computing = false;    ///< has an order that it has not answered yet
  std::uint64_t ordered = 0; ///< rounds finished and rounds that it has orders for
};

struct cluster_view {
  std::span<const member_view> members;
  bool draining =
      false; ///< no new round will start: what is finished must be merged without waiting for more
  std::uint64_t oldest_round = 0; ///< of the results that wait to be merged

  [[nodiscard]] std::uint64_t smallest_clock() const;
  [[nodiscard]] bool any_computing() const;
};

/// When a worker may start its next round, and when finished gradients are merged into the parameters.
/// Pure decisions: no handles, no clocks, no state. A dead member must never keep the others waiting, which
/// holds because it leaves the view.
class exchange_policy : public configurable {
public:
  [[nodiscard]] virtual bool may_start(const member_view& member, const cluster_view& view) const = 0;
  /// Whether the results that have arrived and are not merged yet are merged now (as their mean weighted by
  /// samples); of several rounds only the oldest. Asked after every arrival and every loss.
  [[nodiscard]] virtual bool merge_now(const cluster_view& view) const = 0;
  /// Whether the run may pause here (evaluation, checkpoint) without cutting a round in two: no new order
  /// then goes out, and the run pauses when those that are out have been answered.
  [[nodiscard]] virtual bool at_boundary(const cluster_view& view) const = 0;
  /// Whether a merge takes the gradients of everybody, so that a sum of them may begin before all are there.
  [[nodiscard]] virtual bool merges_rounds() const { return false; }
  /// How many orders a worker may have at once. With more than one it never waits for an answer to what it
  /// sent, and results of more than one round may be there.
  [[nodiscard]] virtual std::size_t orders_at_once() const { return 1; }
  /// The largest lead of one member over the slowest that it permits; no bound: the largest uint64.
  [[nodiscard]] virtual std::uint64_t lag_bound() const = 0;
  /// What a round is where workers take steps of their own; nothing: they send gradients, one a round.
  [[nodiscard]] virtual std::optional<local_round> local() const { return std::nullopt; }
  /// How what workers send, and what they are sent, is made smaller; null: floats as they are. Both with
  /// error compensation, so everybody must hold the same parameters. Live as long as the policy.
  [[nodiscard]] virtual const compressor* compression_up() const { return nullptr; }
  [[nodiscard]] virtual const compressor* compression_down() const { return nullptr; }
  /// Called once after the options were read: builds the parts that options name.
  [[nodiscard]] virtual result<void> prepare(const json_place&) { return {}; }
  /// The rule that changes local()->steps while the run goes on; null: it stays.
  [[nodiscard]] virtual std::unique_ptr<communication_period> new_period() const { return nullptr; }
};

using exchange_factory = std::unique_ptr<exchange_policy> (*)();
/// bsp (bulk synchronous), ssp (stale synchronous, `staleness`), asp (asynchronous), local_sgd, adacomm,
/// overlap_local_sgd.
[[nodiscard]] registry_table<exchange_factory> exchange_policies();
/// From {"policy": NAME, …}.
[[nodiscard]] result<std::unique_ptr<exchange_policy>> make_exchange(const json_value& description,
                                                                     const json_place& place);

} // namespace triage
