#include "actors/member_ledger.hpp"

#include <algorithm>

namespace triage {

member& member_ledger::join(std::string name) {
  member m;
  m.id = next_member_++;
  m.name = std::move(name);
  m.clock = view(false).smallest_clock();
  members_.push_back(std::move(m));
  return members_.back();
}

std::optional<lease> member_ledger::remove(std::uint64_t id) {
  const auto at = std::find_if(members_.begin(), members_.end(), [&](const auto& m) { return m.id == id; });
  if (at == members_.end())
    return std::nullopt;
  auto lost = std::move(at->outstanding);
  members_.erase(at);
  return lost;
}

member* member_ledger::find(std::uint64_t id) {
  const auto at = std::find_if(members_.begin(), members_.end(), [&](const auto& m) { return m.id == id; });
  return at == members_.end() ? nullptr : &*at;
}

bool member_ledger::any_computing() const {
  return std::any_of(members_.begin(), members_.end(),
                     [](const auto& m) { return m.outstanding.has_value(); });
}

lease& member_ledger::grant(member& to, std::uint64_t base_version, shared_batch batch, double now) {
  to.idle = false;
  to.outstanding = lease{next_lease_++, base_version, std::move(batch), now, false};
  return *to.outstanding;
}

std::optional<lease> member_ledger::settle(std::uint64_t member_id, std::uint64_t lease_id) {
  member* m = find(member_id);
  if (m == nullptr || !m->outstanding || m->outstanding->id != lease_id)
    return std::nullopt;
  auto done = std::move(m->outstanding);
  m->outstanding.reset();
  m->idle = true;
  ++m->clock;
  return done;
}

void member_ledger::align_clocks() {
  std::uint64_t largest = 0;
  for (const auto& m : members_)
    largest = std::max(largest, m.clock);
  for (auto& m : members_)
    m.clock = largest;
}

cluster_view member_ledger::view(bool draining) {
  views_.clear();
  for (const auto& m : members_)
    views_.push_back({m.id, m.clock, m.outstanding.has_value()});
  return {views_, draining};
}

} // namespace triage
