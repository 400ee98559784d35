#pragma once

#include "core/blob.hpp"
#include "core/exchange.hpp"
#include "sampling/selector.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace triage {

using shared_batch = std::shared_ptr<const drawn_batch>;

/// Permission to train one batch. A result is accepted only with the lease that is outstanding, so that late
/// and repeated results are harmless.
struct lease {
  std::uint64_t id = 0;
  std::uint64_t base_version = 0;
  shared_batch batch;
  double granted_at = 0.0;    ///< on the run's clock
  bool called_late = false;   ///< somebody was told already
  blob early = {};            ///< the gradient on its way, as far as it is known
  std::size_t final_from = 0; ///< the first element of it that is final
};

struct member {
  std::uint64_t id = 0;
  std::string name;
  std::uint64_t clock = 0;
  bool idle = false; ///< waits for an order
  double idle_since = 0.0;
  double joined_at = 0.0;
  double busy_seconds = 0.0;
  std::uint64_t samples = 0; ///< trained
  std::uint64_t lag = 0;     ///< versions between what its last result was computed with and the newest
  std::optional<lease> outstanding;
  int bad_results = 0; ///< non-finite results in a row
};

/// Who takes part, what they are working on, and how far they are. Owned by the coordinator.
class member_ledger {
public:
  /// A newcomer starts at the smallest clock of the others, so that it keeps nobody waiting.
  member& join(std::string name);
  [[nodiscard]] std::uint64_t next_member() const { return next_member_; }
  /// Removes a member and returns the batch it was working on, if any.
  std::optional<lease> remove(std::uint64_t id);

  [[nodiscard]] member* find(std::uint64_t id);
  [[nodiscard]] std::vector<member>& members() { return members_; }
  [[nodiscard]] const std::vector<member>& members() const { return members_; }
  [[nodiscard]] bool any_computing() const;

  lease& grant(member& to, std::uint64_t base_version, shared_batch batch, double now = 0.0);
  /// Ends the member's lease if it is the one named; false for anything late or unknown.
  [[nodiscard]] std::optional<lease> settle(std::uint64_t member_id, std::uint64_t lease_id);
  /// After a pause everybody starts the same round.
  void align_clocks();

  /// The view for an exchange policy; valid until the next change.
  [[nodiscard]] cluster_view view(bool draining);

private:
  std::vector<member> members_;
  std::vector<member_view> views_;
  std::uint64_t next_member_ = 0;
  std::uint64_t next_lease_ = 1;
};

} // namespace triage
