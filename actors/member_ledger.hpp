#pragma once

#include "actors/result_record.hpp"
#include "core/blob.hpp"
#include "core/exchange.hpp"
#include "sampling/selector.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace triage {

using shared_batch = std::shared_ptr<const drawn_batch>;
/// What an order is about: a batch, or one for each local step of a round.
using batch_list = std::vector<shared_batch>;
[[nodiscard]] std::size_t samples_of(const batch_list& batches);

/// Permission to train batches. A result is accepted only with the lease that is outstanding, so that late
/// and repeated results are harmless.
struct lease {
  std::uint64_t id = 0;
  std::uint64_t base_version = 0;
  batch_list batches;
  double granted_at = 0.0;    ///< on the run's clock; or when the member was done with the lease before
  bool called_late = false;   ///< somebody was told already
  blob early = {};            ///< the gradient on its way, as far as it is known
  std::size_t final_from = 0; ///< the first element of it that is final
  double heard_at = 0.0;      ///< when the last part of it came
  /// So many seconds nobody could have heard anything.
  void forgive(double seconds, double now) {
    granted_at = std::min(now, granted_at + seconds);
    heard_at = std::min(now, heard_at + seconds);
  }
  /// Since its member last gave a sign of working on it.
  [[nodiscard]] double silent_seconds(double now) const { return now - std::max(granted_at, heard_at); }
};

struct member {
  std::uint64_t id = 0;
  std::string name;
  std::string node; ///< whose process it computes in; empty: the coordinator's
  std::uint64_t clock = 0;
  double idle_since = 0.0; ///< when it joined, or gave its last result
  double joined_at = 0.0;
  double busy_seconds = 0.0;
  std::uint64_t samples = 0;     ///< trained
  std::uint64_t lag = 0;         ///< versions between what its last result was computed with and the newest
  std::deque<lease> outstanding; ///< in the order in which they are computed
  result_record record;

  [[nodiscard]] bool idle() const { return outstanding.empty(); } ///< waits for an order
  [[nodiscard]] std::uint64_t ordered() const { return clock + outstanding.size(); }
  [[nodiscard]] lease* find(std::uint64_t lease_id);
};

/// Who takes part, what they are working on, and how far they are. Owned by the coordinator.
class member_ledger {
public:
  /// A newcomer starts at the smallest clock of the others, so that it keeps nobody waiting; where nobody is
  /// left, where the one who was furthest ended: rounds are never counted twice.
  member& join(std::string name, std::string node = {});
  [[nodiscard]] std::uint64_t next_member() const { return next_member_; }
  /// Removes a member and returns what it was working on, if anything.
  std::deque<lease> remove(std::uint64_t id);

  [[nodiscard]] member* find(std::uint64_t id);
  [[nodiscard]] std::vector<member>& members() { return members_; }
  [[nodiscard]] const std::vector<member>& members() const { return members_; }
  [[nodiscard]] bool any_computing() const;

  lease& grant(member& to, std::uint64_t base_version, batch_list batches, double now = 0.0);
  /// Ends the member's lease if it is the one named, which is its oldest; nothing for anything late or
  /// unknown.
  [[nodiscard]] std::optional<lease> settle(std::uint64_t member_id, std::uint64_t lease_id,
                                            double now = 0.0);
  /// The number of the next lease. Random streams of training depend on it, so a run that is resumed goes on
  /// counting.
  [[nodiscard]] std::uint64_t next_lease() const { return next_lease_; }
  void continue_leases(std::uint64_t next) { next_lease_ = next; }
  /// After a pause everybody starts the same round.
  void align_clocks();

  /// The view for an exchange policy; valid until the next change.
  [[nodiscard]] cluster_view view(bool draining, std::uint64_t oldest_round = 0);

private:
  std::vector<member> members_;
  std::vector<member_view> views_;
  std::uint64_t next_member_ = 0;
  std::uint64_t latest_clock_ = 0; ///< that anybody has had
  std::uint64_t next_lease_ = 1;
};

} // namespace triage
