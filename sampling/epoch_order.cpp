#include "sampling/epoch_order.hpp"

#include <algorithm>
#include <numeric>

namespace triage {

void epoch_order::start(std::size_t points) {
  order_.resize(points);
  std::iota(order_.begin(), order_.end(), 0U);
  position_ = points; // the first pass shuffles
}

void epoch_order::begin_pass_if_needed(rng& random) {
  if (left() > 0)
    return;
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
