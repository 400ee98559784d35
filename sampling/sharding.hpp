#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace triage {

/// Which part of the training set a point belongs to. Points that lie side by side in the data share a shard
/// for a short run, so that whoever reads one shard of a mapped file reads whole pages of it; and the runs of
/// a shard are spread over the whole set, so that data sorted by class gives shards that are alike.
class sharding {
public:
  sharding(std::size_t points, std::size_t shards)
      : shards_(std::max<std::size_t>(shards, 1)),
        run_(std::clamp<std::size_t>(points / (shards_ * runs_wanted), 1, longest_run)) {}

  [[nodiscard]] std::size_t shards() const { return shards_; }
  [[nodiscard]] std::size_t shard_of(std::uint32_t id) const { return id / run_ % shards_; }

private:
  static constexpr std::size_t longest_run = 1024;
  static constexpr std::size_t runs_wanted = 64; ///< of each shard, where there are points enough
  std::size_t shards_;
  std::size_t run_;
};

} // namespace triage
