#include "sampling/point_ledger.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace triage {

point_ledger::point_ledger(std::size_t points)
    : trained_(points), scored_(points), mean_(points), last_(points), lowest_(points) {}

void point_ledger::trained(std::span<const std::uint32_t> ids, std::span<const float> losses) {
  for (std::size_t i = 0; i < std::min(ids.size(), losses.size()); ++i) {
    const auto id = ids[i];
    const float loss = losses[i];
    if (!std::isfinite(loss))
      continue;
    lowest_[id] = trained_[id] == 0 ? loss : std::min(lowest_[id], loss);
    ++trained_[id];
    mean_[id] += (loss - mean_[id]) / static_cast<float>(trained_[id]);
    last_[id] = loss;
  }
}

void point_ledger::scored(std::span<const std::uint32_t> ids) {
  for (const auto id : ids)
    ++scored_[id];
}

saved_state point_ledger::save() const {
  saved_state state;
  state.put("trained", trained_);
  state.put("scored", scored_);
  state.put("mean_loss", mean_);
  state.put("last_loss", last_);
  state.put("lowest_loss", lowest_);
  return state;
}

result<void> point_ledger::load(const saved_state& state) {
  const auto take = [&]<class T>(const char* name, std::vector<T>& into) -> result<void> {
    auto values = state.get<T>(name);
    if (!values.ok())
      return values.error();
    if (values->size() != into.size())
      return data_error(
          fmt::format("the saved ledger is for {} points, the data has {}", values->size(), into.size()));
    into = values.take();
    return {};
  };
  for (auto loaded : {take("trained", trained_), take("scored", scored_), take("mean_loss", mean_),
                      take("last_loss", last_), take("lowest_loss", lowest_)})
    if (!loaded.ok())
      return loaded;
  return {};
}

} // namespace triage
