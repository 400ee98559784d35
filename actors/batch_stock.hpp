#pragma once

#include "actors/member_ledger.hpp"
#include "actors/run_state.hpp"

#include <memory>
#include <string>
#include <vector>

namespace triage {

/// Batches that were drawn and not ordered yet. Either everybody takes the next one, or each point is kept
/// for the node that holds its shard. Owned by the coordinator.
class batch_stock {
public:
  virtual ~batch_stock() = default;

  virtual void put(const shared_batch& batch) = 0;
  /// What a lost worker was to train comes next again.
  virtual void put_back(const batch_list& batches) = 0;
  /// The next `count` batches for a worker of that node; none, if there are fewer for it. `last`: nothing
  /// will be drawn any more, so there may be fewer, and the last may be small.
  [[nodiscard]] virtual batch_list take(const std::string& node, std::size_t count, bool last) = 0;
  /// Finds work for a node that has less than `count` batches to take, where another has more than its own
  /// workers take next; `in_need`: where any other has something. False: there is none.
  virtual bool relieve(const std::string&, std::size_t /*count*/, bool /*in_need*/) { return false; }

  virtual void worker_joined(const std::string&) {}
  virtual void worker_left(const std::string&) {}

  [[nodiscard]] virtual std::size_t samples() const = 0;
  /// Whole batches that its samples make.
  [[nodiscard]] virtual std::size_t batches() const = 0;
  /// Whether batches differ in who may take them.
  [[nodiscard]] virtual bool sharded() const { return false; }
  /// Batches to keep in stock beside what is ordered next, so that chance keeps nobody waiting.
  [[nodiscard]] virtual std::size_t reserve() const { return 0; }
  /// All of it, for a checkpoint.
  [[nodiscard]] virtual batch_list contents() const = 0;
  [[nodiscard]] virtual std::vector<shard_holder> holders() const { return {}; }
};

/// `shards`: 0: everybody may train every point.
[[nodiscard]] std::unique_ptr<batch_stock> make_batch_stock(std::size_t points, std::size_t batch_size,
                                                            std::size_t shards);

} // namespace triage
