#include "sampling/candidate_pools.hpp"

#include <algorithm>
#include <utility>

namespace triage {

void candidate_pools::add(std::span<const std::uint32_t> ids, bool ends_pass) {
  pools_.push_back({std::vector<std::uint32_t>(ids.begin(), ids.end()), ends_pass, next_serial_++, 0, 0});
}

candidate_pools::pool candidate_pools::take_front() {
  pool front = std::move(pools_.front());
  pools_.pop_front();
  return front;
}

std::optional<std::uint64_t> candidate_pools::next(std::size_t count, std::vector<std::uint32_t>& out) {
  const auto at =
      std::find_if(pools_.begin(), pools_.end(), [](const pool& p) { return p.handed_out < p.ids.size(); });
  if (at == pools_.end())
    return std::nullopt;
  const std::size_t n = std::min(count, at->ids.size() - at->handed_out);
  const auto begin = at->ids.begin() + static_cast<std::ptrdiff_t>(at->handed_out);
  out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(n));
  at->handed_out += n;
  at->awaited += n;
  return at->serial;
}

void candidate_pools::arrived(std::uint64_t serial, std::size_t count) {
  const auto at =
      std::find_if(pools_.begin(), pools_.end(), [&](const pool& p) { return p.serial == serial; });
  if (at != pools_.end())
    at->awaited -= std::min(at->awaited, count);
}

void candidate_pools::give_up_waiting() {
  for (auto& p : pools_) {
    p.handed_out = p.ids.size();
    p.awaited = 0;
  }
}

saved_state candidate_pools::save() const {
  saved_state state;
  std::vector<std::uint32_t> ids;
  std::vector<std::uint64_t> shapes;
  for (const auto& p : pools_) {
    ids.insert(ids.end(), p.ids.begin(), p.ids.end());
    shapes.push_back(p.ids.size());
    shapes.push_back(p.ends_pass ? 1 : 0);
  }
  state.put("ids", std::move(ids));
  state.put("shapes", std::move(shapes));
  return state;
}

result<void> candidate_pools::load(const saved_state& state, std::size_t points) {
  const auto ids = state.get<std::uint32_t>("ids");
  const auto shapes = state.get<std::uint64_t>("shapes");
  if (!ids.ok())
    return ids.error();
  if (!shapes.ok())
    return shapes.error();
  std::deque<pool> pools;
  std::size_t at = 0;
  for (std::size_t i = 0; i + 1 < shapes->size(); i += 2) {
    const auto n = static_cast<std::size_t>((*shapes)[i]);
    if (n > ids->size() - at)
      return data_error("the saved pools of candidates contradict themselves");
    const auto begin = ids->begin() + static_cast<std::ptrdiff_t>(at);
    pools.push_back(
        {{begin, begin + static_cast<std::ptrdiff_t>(n)}, (*shapes)[i + 1] != 0, next_serial_++, 0, 0});
    at += n;
  }
  if (at != ids->size() || std::any_of(ids->begin(), ids->end(), [&](auto id) { return id >= points; }))
    return data_error("the saved pools of candidates do not fit the data");
  pools_ = std::move(pools);
  return {};
}

} // namespace triage
