#pragma once

#include "actors/batch_stock.hpp"
#include "actors/shard_map.hpp"

#include <deque>
#include <vector>

namespace triage {

/// Each drawn point waits for the node that holds its shard, in the order of drawing and with the weight it
/// was drawn with; a node's batches are cut from what waits for it. So draws are split by priority mass
/// exactly (what is drawn of a shard is trained by its holder), weights stay what makes the sum over all
/// nodes unbiased, and every point drawn is trained once. A node that has nothing while others have takes
/// over a shard with what waits for it: shards end up where they are trained as fast as they are drawn from.
class sharded_stock : public batch_stock {
public:
  sharded_stock(std::size_t points, std::size_t shards, std::size_t batch_size);

  void put(const shared_batch& batch) override;
  void put_back(const batch_list& batches) override;
  [[nodiscard]] batch_list take(const std::string& node, std::size_t count, bool last) override;
  bool relieve(const std::string& node, std::size_t count, bool in_need) override;
  void worker_joined(const std::string& node) override;
  void worker_left(const std::string& node) override;

  [[nodiscard]] std::size_t samples() const override { return samples_; }
  [[nodiscard]] std::size_t batches() const override { return samples_ / batch_size_; }
  [[nodiscard]] bool sharded() const override { return true; }
  [[nodiscard]] std::size_t reserve() const override;
  [[nodiscard]] batch_list contents() const override;
  [[nodiscard]] std::vector<shard_holder> holders() const override;

private:
  struct drawn_point {
    std::uint32_t id = 0;
    float weight = 1.0F;
    float frequency = unknown;
  };
  static constexpr float unknown = -1.0F; ///< the frequency of a point whose batch knew none
  using point_queue = std::deque<drawn_point>;

  [[nodiscard]] static std::vector<drawn_point> points_of(const drawn_batch& batch);
  [[nodiscard]] shared_batch cut(point_queue& from) const;
  [[nodiscard]] point_queue& queue_of(std::uint32_t id);
  void redistribute(std::size_t node);
  void redistribute_all();

  std::size_t points_;
  shard_map map_;
  std::size_t batch_size_;
  std::size_t samples_ = 0;
  std::vector<point_queue> queues_; ///< by node; before the first worker joins all wait in the first
  blob direction_;                  ///< the newest
  blob added_gradient_;             ///< the newest
};

} // namespace triage
