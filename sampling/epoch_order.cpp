#include "sampling/epoch_order.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

namespace triage {

namespace {
constexpr std::size_t in_cache = 1U << 18U; ///< points whose order fits the second-level cache

/// Hands out the words of a stream from blocks that are made at once.
class word_source {
public:
  explicit word_source(const rng& random) : random_(random) {}
  std::uint32_t next() {
    if (at_ == words_.size()) {
      random_.fill(words_);
      at_ = 0;
    }
    return words_[at_++];
  }
  /// Uniform in [0, bound): Lemire's multiplication (2019), which needs a division in the rarest cases only.
  std::uint32_t below(std::uint32_t bound) {
    std::uint64_t product = std::uint64_t{next()} * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      const std::uint32_t uneven = (0U - bound) % bound;
      while (static_cast<std::uint32_t>(product) < uneven)
        product = std::uint64_t{next()} * bound;
    }
    return static_cast<std::uint32_t>(product >> 32U);
  }
  /// The stream behind the last block.
  [[nodiscard]] const rng& stream() const { return random_; }

private:
  rng random_;
  std::array<std::uint32_t, 4096> words_{};
  std::size_t at_ = words_.size();
};

} // namespace

/// Rao (1961) and Sandelius (1962): every point goes to a random bucket, and each bucket is shuffled, in the
/// cache. As uniform as shuffling the whole, several times as fast where the whole does not fit the cache.
void epoch_order::shuffle_in_buckets(rng& random) {
  const std::size_t buckets = std::bit_ceil(order_.size() / (in_cache / 4));
  const auto bucket = [&](std::uint32_t word) { return static_cast<std::size_t>(word) & (buckets - 1); };
  std::vector<std::size_t> ends(buckets + 1, 0);
  word_source counting(random); // the same numbers twice: once to count, once to place
  word_source placing(random);
  for (std::size_t i = 0; i < order_.size(); ++i)
    ++ends[bucket(counting.next()) + 1];
  for (std::size_t b = 0; b < buckets; ++b)
    ends[b + 1] += ends[b];
  std::vector<std::size_t> next(ends.begin(), ends.end() - 1);
  for (std::size_t i = 0; i < order_.size(); ++i)
    order_[next[bucket(placing.next())]++] = static_cast<std::uint32_t>(i);
  for (std::size_t b = 0; b < buckets; ++b)
    for (std::size_t end = ends[b + 1]; end > ends[b] + 1; --end) {
      const auto left = static_cast<std::uint32_t>(end - ends[b]);
      std::swap(order_[end - 1], order_[ends[b] + placing.below(left)]);
    }
  random = placing.stream();
}

void epoch_order::start(std::size_t points) {
  points_ = points;
  order_.clear();
  position_ = points; // the first pass shuffles
}

void epoch_order::begin_pass_if_needed(rng& random) {
  if (left() > 0)
    return;
  if (order_.empty()) {
    order_.resize(points_);
    std::iota(order_.begin(), order_.end(), 0U);
  }
  if (points_ > in_cache)
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
  state.put("order", std::vector<std::uint32_t>(order_.begin(), order_.end()));
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
  const auto n = points_;
  const bool begun = !order->empty() || *position != n;
  if ((begun && order->size() != n) || *position > n ||
      std::any_of(order->begin(), order->end(), [&](auto i) { return i >= n; }))
    return data_error("the saved data order does not fit the data");
  order_.assign(order->begin(), order->end());
  position_ = static_cast<std::size_t>(*position);
  return {};
}

} // namespace triage
