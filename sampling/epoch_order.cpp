#include "sampling/epoch_order.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace triage {

namespace {
constexpr std::size_t in_cache = 1U << 18U; ///< points whose order fits the second-level cache
}

/// Rao (1961) and Sandelius (1962): every point goes to a random bucket, and each bucket is shuffled, in the
/// cache. As uniform as shuffling the whole, several times as fast where the whole does not fit the cache.
void epoch_order::shuffle_in_buckets(rng& random) {
  const std::size_t buckets = std::bit_ceil(order_.size() / (in_cache / 4));
  const auto bucket = [&](rng& r) { return static_cast<std::size_t>(r()) & (buckets - 1); };
  std::vector<std::size_t> ends(buckets + 1, 0);
  rng replay = random; // the same numbers twice: once to count, once to place
  for (std::size_t i = 0; i < order_.size(); ++i)
    ++ends[bucket(random) + 1];
  for (std::size_t b = 0; b < buckets; ++b)
    ends[b + 1] += ends[b];
  std::vector<std::size_t> next(ends.begin(), ends.end() - 1);
  for (std::size_t i = 0; i < order_.size(); ++i)
    order_[next[bucket(replay)]++] = static_cast<std::uint32_t>(i);
  for (std::size_t b = 0; b < buckets; ++b) {
    std::span<std::uint32_t> part(order_.data() + ends[b], ends[b + 1] - ends[b]);
    shuffle(part, random);
  }
}

void epoch_order::start(std::size_t points) {
  order_.resize(points);
  std::iota(order_.begin(), order_.end(), 0U);
  position_ = points; // the first pass shuffles
}

void epoch_order::begin_pass_if_needed(rng& random) {
  if (left() > 0)
    return;
  if (order_.size() > in_cache)
    shuffle_in_buckets(random);
  else
    shuffle(order_, random);
  position_ = 0;
}

std::span<const std::uint32_t> epoch_order::take(std::size_t count) {
  const std::span<const std::uint32_t> next(order_.data() + position_, count);
  position_ += count;
  return next;
}

saved_state epoch_order::save() const {
  saved_state state;
  state.put("order", order_);
  state.put("position", std::vector<std::uint64_t>{position_});
  return state;
}

result<void> epoch_order::load(const saved_state& state) {
  auto order = state.get<std::uint32_t>("order");
  const auto position = state.get_one<std::uint64_t>("position");
  if (!order.ok())
    return order.error();
  if (!position.ok())
    return position.error();
  const auto n = order_.size();
  if (order->size() != n || *position > n ||
      std::any_of(order->begin(), order->end(), [&](auto i) { return i >= n; }))
    return data_error("the saved data order does not fit the data");
  order_ = order.take();
  position_ = static_cast<std::size_t>(*position);
  return {};
}

} // namespace triage
