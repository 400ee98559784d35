#include "actors/shard_map.hpp"

#include <algorithm>
#include <numeric>

namespace triage {

shard_map::shard_map(const sharding& points)
    : points_(points), owner_(points.shards(), 0), home_(points.shards(), 0) {}

shard_map::node_number shard_map::find(const std::string& name) const {
  const auto at = std::find_if(nodes_.begin(), nodes_.end(), [&](const node& n) { return n.name == name; });
  return static_cast<node_number>(at - nodes_.begin());
}

shard_map::node_number shard_map::worker_joined(const std::string& name) {
  const node_number number = find(name);
  if (number == nodes_.size()) {
    nodes_.push_back({name, 0, {}});
    if (number == 0) {
      nodes_[0].shards.resize(points_.shards());
      std::iota(nodes_[0].shards.begin(), nodes_[0].shards.end(), std::size_t{0});
    }
  }
  ++nodes_[number].workers;
  fill(number);
  return number;
}

void shard_map::worker_left(const std::string& name) {
  const node_number number = find(name);
  if (number == nodes_.size() || nodes_[number].workers == 0)
    return;
  if (--nodes_[number].workers == 0)
    share_out(number);
}

void shard_map::give(std::size_t shard, node_number to) {
  lend(shard, to);
  home_[shard] = to;
}

void shard_map::lend(std::size_t shard, node_number to) {
  std::erase(nodes_[owner_[shard]].shards, shard);
  nodes_[to].shards.push_back(shard);
  owner_[shard] = to;
}

bool shard_map::has_more_for_each_worker(const node& a, const node& b) const {
  // Whoever has no worker has too many, whatever it has.
  if (a.workers == 0 || b.workers == 0)
    return a.workers == 0 && (b.workers > 0 || a.shards.size() > b.shards.size());
  return a.shards.size() * b.workers > b.shards.size() * a.workers;
}

/// Takes from those that have most until the node has its share.
void shard_map::fill(node_number newcomer) {
  std::size_t workers = 0;
  for (const auto& n : nodes_)
    workers += n.workers;
  const std::size_t share = points_.shards() * nodes_[newcomer].workers / std::max<std::size_t>(workers, 1);
  while (nodes_[newcomer].shards.size() < share) {
    const node* richest = nullptr;
    for (const auto& n : nodes_)
      if (&n != &nodes_[newcomer] && !n.shards.empty() &&
          (richest == nullptr || has_more_for_each_worker(n, *richest)))
        richest = &n;
    if (richest == nullptr)
      return;
    give(richest->shards.back(), newcomer);
  }
}

/// Each of its shards goes to the node that then has fewest.
void shard_map::share_out(node_number leaver) {
  const auto orphans = nodes_[leaver].shards;
  for (const auto shard : orphans) {
    const node* poorest = nullptr;
    for (const auto& n : nodes_)
      if (n.workers > 0 && (poorest == nullptr || has_more_for_each_worker(*poorest, n)))
        poorest = &n;
    if (poorest == nullptr)
      return; // nobody is left
    give(shard, static_cast<node_number>(poorest - nodes_.data()));
  }
}

} // namespace triage
