#include "actors/sharded_stock.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>

namespace triage {

sharded_stock::sharded_stock(std::size_t points, std::size_t shards, std::size_t batch_size)
    : points_(points), map_(sharding(points, shards)), batch_size_(batch_size), queues_(1) {}

std::vector<sharded_stock::drawn_point> sharded_stock::points_of(const drawn_batch& batch) {
  std::vector<drawn_point> out(batch.ids.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].id = batch.ids[i];
    if (!batch.weights.empty())
      out[i].weight = batch.weights[i];
    if (!batch.frequencies.empty())
      out[i].frequency = batch.frequencies[i];
  }
  return out;
}

sharded_stock::point_queue& sharded_stock::queue_of(std::uint32_t id) {
  return queues_[map_.owner_of(id)];
}

void sharded_stock::put(const shared_batch& batch) {
  for (const auto& p : points_of(*batch))
    queue_of(p.id).push_back(p);
  samples_ += batch->ids.size();
  direction_ = batch->direction;
  added_gradient_ = batch->added_gradient;
}

void sharded_stock::put_back(const batch_list& batches) {
  for (std::size_t b = batches.size(); b-- > 0;) {
    const auto points = points_of(*batches[b]);
    for (std::size_t p = points.size(); p-- > 0;)
      queue_of(points[p].id).push_front(points[p]);
    samples_ += points.size();
  }
}

shared_batch sharded_stock::cut(point_queue& from) const {
  const std::size_t size = std::min(batch_size_, from.size());
  drawn_batch out;
  out.ids.reserve(size);
  out.weights.reserve(size);
  out.frequencies.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    const auto p = from.front();
    from.pop_front();
    out.ids.push_back(p.id);
    out.weights.push_back(p.weight);
    out.frequencies.push_back(p.frequency);
  }
  if (std::find(out.frequencies.begin(), out.frequencies.end(), unknown) != out.frequencies.end())
    out.frequencies.clear(); // a batch knows its frequencies when it knows all of them
  out.direction = direction_;
  out.added_gradient = added_gradient_;
  return std::make_shared<const drawn_batch>(std::move(out));
}

batch_list sharded_stock::take(const std::string& node, std::size_t count, bool last) {
  const auto number = map_.find(node);
  if (number >= map_.nodes().size())
    return {};
  auto& queue = queues_[number];
  if (queue.size() < count * batch_size_ && !last)
    return {};
  batch_list out;
  for (std::size_t i = 0; i < count && !queue.empty(); ++i) {
    out.push_back(cut(queue));
    samples_ -= out.back()->ids.size();
  }
  return out;
}

bool sharded_stock::relieve(const std::string& node, std::size_t count, bool in_need) {
  const auto taker = map_.find(node);
  if (taker >= map_.nodes().size())
    return false;
  const auto can_give = [&](std::size_t giver) {
    const auto& queue = queues_[giver];
    const std::size_t kept = (map_.nodes()[giver].workers + 1) * count * batch_size_;
    return giver != taker && !queue.empty() && (queue.size() >= kept || in_need);
  };
  std::vector<bool> holds_home(queues_.size()); ///< shards that are at home with the taker
  for (std::size_t shard = 0; shard < map_.points().shards(); ++shard)
    if (map_.home_of(shard) == taker)
      holds_home[map_.holder_of(shard)] = true;
  std::size_t fullest = taker;
  for (std::size_t giver = 0; giver < queues_.size(); ++giver)
    if (can_give(giver) && (fullest == taker || queues_[giver].size() > queues_[fullest].size()))
      fullest = giver;
  std::optional<std::size_t> best;
  std::tuple<bool, std::size_t, std::size_t> most;
  for (std::size_t giver = 0; giver < queues_.size(); ++giver) {
    if (!can_give(giver) || (giver != fullest && !holds_home[giver]))
      continue;
    const auto& queue = queues_[giver];
    std::vector<std::size_t> waiting(map_.points().shards());
    for (const auto& p : queue)
      ++waiting[map_.points().shard_of(p.id)];
    for (const auto shard : map_.nodes()[giver].shards) {
      if (waiting[shard] == 0)
        continue;
      // What is at home there comes first: chance, which favours now one and now the other, moves one shard
      // to and fro; and a node gets back what it lent.
      const std::tuple worth(map_.home_of(shard) == taker, queue.size(), waiting[shard]);
      if (!best || worth > most) {
        best = shard;
        most = worth;
      }
    }
  }
  if (!best)
    return false;
  const auto giver = map_.holder_of(*best);
  map_.lend(*best, taker);
  redistribute(giver);
  return true;
}

void sharded_stock::worker_joined(const std::string& node) {
  map_.worker_joined(node);
  queues_.resize(map_.nodes().size());
  redistribute_all();
}

void sharded_stock::worker_left(const std::string& node) {
  map_.worker_left(node);
  redistribute_all();
}

/// What waits for a node that no longer holds its shard goes to the end of the line of the one that does.
void sharded_stock::redistribute(std::size_t node) {
  auto& queue = queues_[node];
  const auto moved = std::stable_partition(queue.begin(), queue.end(),
                                           [&](const auto& p) { return map_.owner_of(p.id) == node; });
  const std::vector<drawn_point> others(moved, queue.end());
  queue.erase(moved, queue.end());
  for (const auto& p : others)
    queue_of(p.id).push_back(p);
}

void sharded_stock::redistribute_all() {
  for (std::size_t n = 0; n < queues_.size(); ++n)
    redistribute(n);
}

/// Half way through a pass over n points, how many were drawn for a node with the share p of them deviates by
/// sqrt(n p (1 - p)) / 2 from what it should be. Three times that for each node, and chance alone hardly ever
/// leaves one without a batch.
std::size_t sharded_stock::reserve() const {
  double deviations = 0.0;
  for (const auto& n : map_.nodes()) {
    const double share = static_cast<double>(n.shards.size()) / static_cast<double>(map_.points().shards());
    deviations += 0.5 * std::sqrt(static_cast<double>(points_) * share * (1.0 - share));
  }
  return static_cast<std::size_t>(std::ceil(3.0 * deviations / static_cast<double>(batch_size_)));
}

batch_list sharded_stock::contents() const {
  batch_list out;
  for (auto queue : queues_)
    while (!queue.empty())
      out.push_back(cut(queue));
  return out;
}

std::vector<shard_holder> sharded_stock::holders() const {
  std::vector<shard_holder> out;
  for (std::size_t n = 0; n < map_.nodes().size(); ++n) {
    const auto& node = map_.nodes()[n];
    if (!node.shards.empty() || node.workers > 0)
      out.push_back({node.name, node.shards, queues_[n].size()});
  }
  return out;
}

} // namespace triage
