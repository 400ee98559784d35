#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"
#include "core/saved_state.hpp"
#include "sampling/priority_table.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace triage {

/// Where the run stands when estimators ask for work.
struct refresh_request {
  const priority_table& priorities;
  std::uint64_t version = 0;
  double versions_per_epoch = 1.0;
  std::uint64_t samples_drawn = 0;
  std::uint64_t samples_measured = 0; ///< by estimators, of those that this policy has asked for
};

/// What priority estimators measure anew, and when ("estimator" in a run description). Scores that fall off
/// while training on a point are recorded whatever the policy. Owned by one thread.
class refresh_policy : public configurable {
public:
  virtual void start(std::size_t) {}
  /// Up to `count` points to measure now, appended to `out`; none when nothing is due. What was handed out
  /// counts as done: whoever loses an order gives its points out again.
  virtual void next(std::size_t, const refresh_request&, std::vector<std::uint32_t>&) {}
  /// Whether estimators have anything to do.
  [[nodiscard]] virtual bool uses_estimators() const { return true; }
  /// How many pools of candidates are measured before they are needed; none: candidates are chosen by what
  /// is known of them. 0: a pool is measured while its batch is waited for.
  [[nodiscard]] virtual std::optional<std::size_t> pools_ahead() const { return std::nullopt; }
  /// Whether the next plan must wait for measurements that are owed.
  [[nodiscard]] virtual bool holds_back(const refresh_request&) const { return false; }
  [[nodiscard]] virtual saved_state save() const { return {}; }
  [[nodiscard]] virtual result<void> load(const saved_state&) { return {}; }
};

using refresh_factory = std::unique_ptr<refresh_policy> (*)();
/// byproduct, oldest_first, renew_round_robin, exact_sweep, presample.
[[nodiscard]] registry_table<refresh_factory> refresh_policies();
[[nodiscard]] result<std::unique_ptr<refresh_policy>> make_refresh_policy(const json_value& description,
                                                                          const json_place& place);

} // namespace triage
