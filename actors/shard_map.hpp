#pragma once

#include "sampling/sharding.hpp"

#include <string>
#include <vector>

namespace triage {

/// Who holds which shard of the training points. At every moment each shard belongs to exactly one node, also
/// after a node is lost (to one that is left) and after one has joined (which takes its share from those that
/// have most). While no worker is there at all, shards stay with whoever had them last. Owned by one thread.
class shard_map {
public:
  /// A node; numbers are given out in the order of joining and stay valid.
  using node_number = std::size_t;

  explicit shard_map(const sharding& points);

  /// The node has one worker more; known by its name when it comes back.
  node_number worker_joined(const std::string& name);
  void worker_left(const std::string& name);

  [[nodiscard]] const sharding& points() const { return points_; }
  [[nodiscard]] node_number owner_of(std::uint32_t id) const { return owner_[points_.shard_of(id)]; }
  [[nodiscard]] node_number holder_of(std::size_t shard) const { return owner_[shard]; }
  /// For a while: the shard stays at home where joins and losses have put it.
  void lend(std::size_t shard, node_number to);
  [[nodiscard]] node_number home_of(std::size_t shard) const { return home_[shard]; }

  struct node {
    std::string name;
    std::size_t workers = 0;
    std::vector<std::size_t> shards;
  };
  /// Also those that have left, without workers.
  [[nodiscard]] const std::vector<node>& nodes() const { return nodes_; }
  [[nodiscard]] node_number find(const std::string& name) const; ///< nodes().size(): unknown

private:
  [[nodiscard]] bool has_more_for_each_worker(const node& a, const node& b) const;
  void give(std::size_t shard, node_number to);
  void fill(node_number newcomer);
  void share_out(node_number leaver);

  sharding points_;
  std::vector<node_number> owner_; ///< of each shard
  std::vector<node_number> home_;
  std::vector<node> nodes_;
};

} // namespace triage
