#include "sampling/selectors/ranked.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace triage {

void ranked_selector::visit(option_visitor& v) {
  v.field({.name = "weights", .doc = "importance correction; see Weights"}, weights_);
  v.field({.name = "sorts_per_epoch", .doc = "how often ranks are found anew", .min = 0.01, .max = 1e4},
          sorts_per_epoch_);
}

result<void> ranked_selector::prepare(const json_place& place) {
  auto policy = make_weight_policy(weights_, {place.source, place.pointer + "/weights"});
  if (!policy.ok())
    return policy.error();
  policy_ = policy.take();
  return {};
}

void ranked_selector::start(std::size_t points) {
  order_.resize(points);
  std::iota(order_.begin(), order_.end(), 0U);
}

void ranked_selector::sort(const priority_view& priorities) {
  keys_.resize(order_.size());
  for (std::uint32_t id = 0; id < keys_.size(); ++id)
    keys_[id] = priorities.seen(id) ? priorities.rank(id) : std::numeric_limits<float>::infinity();
  std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return keys_[a] != keys_[b] ? keys_[a] > keys_[b] : a < b;
  });
}

void ranked_selector::plan(const plan_request& request, rng& random, selection_plan& out) {
  if (request.progress.epochs >= next_sort_) {
    sort(request.priorities);
    next_sort_ = request.progress.epochs + 1.0 / sorts_per_epoch_;
  }
  set_progress(request.progress);
  std::vector<double> frequencies;
  for (std::size_t i = 0; i < request.batch_size; ++i) {
    const std::size_t rank = std::min(rank_at(random.uniform()), points() - 1);
    frequencies.push_back(frequency(rank));
    out.add(order_[rank], 1.0F);
  }
  out.frequencies.assign(frequencies.begin(), frequencies.end());
  policy_->apply(frequencies, frequency(points() - 1), request.progress.fraction, out.weights);
}

saved_state ranked_selector::save() const {
  saved_state state;
  state.put("order", order_);
  state.put("next_sort", std::vector<double>{next_sort_});
  return state;
}

result<void> ranked_selector::load(const saved_state& state) {
  auto order = state.get<std::uint32_t>("order");
  const auto next = state.get_one<double>("next_sort");
  if (!order.ok())
    return order.error();
  if (!next.ok())
    return next.error();
  if (order->size() != order_.size() ||
      std::any_of(order->begin(), order->end(), [&](auto id) { return id >= order_.size(); }))
    return data_error("the saved ranks do not fit the data");
  order_ = order.take();
  next_sort_ = *next;
  return {};
}

} // namespace triage
