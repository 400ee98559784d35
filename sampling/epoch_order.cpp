#include "sampling/epoch_order.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace triage {

namespace {
constexpr std::size_t most_stored = 1U << 18U; ///< points whose order fits the second-level cache
} // namespace

void epoch_order::start(std::size_t points) {
  points_ = points;
  order_.clear();
  computed_ = {};
  position_ = points; // the first pass shuffles
}

void epoch_order::begin_pass_if_needed(rng& random) {
  if (left() > 0)
    return;
  position_ = 0;
  if (points_ > most_stored) {
    std::vector<std::uint32_t>().swap(order_);
    computed_ = computed_order(points_, random.next_u64());
    return;
  }
  if (order_.empty()) {
    order_.resize(points_);
    std::iota(order_.begin(), order_.end(), 0U);
  }
  shuffle(order_, random);
}

std::span<const std::uint32_t> epoch_order::take(std::size_t count) {
  const std::size_t at = std::exchange(position_, position_ + count);
  if (!order_.empty())
    return {order_.data() + at, count};
  taken_.resize(count);
  computed_.take(taken_);
  return taken_;
}

saved_state epoch_order::save() const {
  saved_state state;
  state.put("order", order_);
  state.put("position", std::vector<std::uint64_t>{position_});
  if (computes())
    state.put("computed", std::vector<std::uint64_t>{computed_.key(), computed_.place()});
  return state;
}

/// Large orders of versions that stored them all are used up as they are.
result<void> epoch_order::load(const saved_state& state) {
  auto order = state.get<std::uint32_t>("order");
  const auto position = state.get_one<std::uint64_t>("position");
  if (!order.ok())
    return order.error();
  if (!position.ok())
    return position.error();
  const auto n = points_;
  const auto misfit = [] { return data_error("the saved data order does not fit the data"); };
  if (*position > n || std::any_of(order->begin(), order->end(), [&](auto i) { return i >= n; }))
    return misfit();
  computed_ = {};
  if (state.find("computed") != nullptr) {
    const auto computed = state.get<std::uint64_t>("computed");
    if (!computed.ok())
      return computed.error();
    if (computed->size() != 2 || n <= most_stored || !order->empty())
      return misfit();
    computed_ = computed_order(n, (*computed)[0]);
    if (!computed_.go_to((*computed)[1], *position))
      return misfit();
  } else if ((!order->empty() || *position != n) && order->size() != n) {
    return misfit();
  }
  order_ = order.take();
  position_ = static_cast<std::size_t>(*position);
  return {};
}

} // namespace triage
