#include "core/exchanges/synchronous_rounds.hpp"

#include <algorithm>

namespace triage {

bool synchronous_rounds::may_start(const member_view& member, const cluster_view& view) const {
  return member.clock == view.smallest_clock();
}

bool synchronous_rounds::merge_now(const cluster_view& view) const {
  return view.draining ? !view.any_computing() : at_boundary(view);
}

bool synchronous_rounds::at_boundary(const cluster_view& view) const {
  const auto round = view.smallest_clock();
  return !view.any_computing() && std::all_of(view.members.begin(), view.members.end(),
                                              [&](const auto& m) { return m.clock == round; });
}

} // namespace triage
