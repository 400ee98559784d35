#include "sampling/estimators/in_turn.hpp"

#include <algorithm>

namespace triage {

void in_turn::next(std::size_t count, const refresh_request& r, std::vector<std::uint32_t>& out) {
  const std::uint64_t all = owed(r);
  // What a plan waits for is handed out however little it is: nothing more would come to be owed meanwhile.
  if (all < handed_out_ + smallest_order() && handed_out_ >= awaited(r))
    return;
  const auto n = std::min<std::uint64_t>({all - handed_out_, count, points_});
  for (std::uint64_t i = 0; i < n; ++i)
    out.push_back(static_cast<std::uint32_t>((handed_out_ + i) % points_));
  handed_out_ += n;
}

bool in_turn::holds_back(const refresh_request& r) const {
  return r.samples_measured < awaited(r);
}

saved_state in_turn::save() const {
  saved_state state;
  state.put("handed_out", std::vector<std::uint64_t>{handed_out_});
  return state;
}

result<void> in_turn::load(const saved_state& state) {
  const auto handed_out = state.get_one<std::uint64_t>("handed_out");
  if (!handed_out.ok())
    return handed_out.error();
  handed_out_ = *handed_out;
  return {};
}

} // namespace triage
