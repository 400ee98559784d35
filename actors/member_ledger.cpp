#include "actors/member_ledger.hpp"

#include <algorithm>

namespace triage {

std::size_t samples_of(const batch_list& batches) {
  std::size_t samples = 0;
  for (const auto& b : batches)
    samples += b->ids.size();
  return samples;
}

lease* member::find(std::uint64_t lease_id) {
  const auto at =
      std::find_if(outstanding.begin(), outstanding.end(), [&](const auto& l) { return l.id == lease_id; });
  return at == outstanding.end() ? nullptr : &*at;
}

member& member_ledger::join(std::string name, std::string node) {
  member m;
  m.id = next_member_++;
  m.name = std::move(name);
  m.node = std::move(node);
  m.clock = members_.empty() ? latest_clock_ : view(false).smallest_clock();
  members_.push_back(std::move(m));
  return members_.back();
}

std::deque<lease> member_ledger::remove(std::uint64_t id) {
  const auto at = std::find_if(members_.begin(), members_.end(), [&](const auto& m) { return m.id == id; });
  if (at == members_.end())
    return {};
  auto lost = std::move(at->outstanding);
  members_.erase(at);
  return lost;
}

member* member_ledger::find(std::uint64_t id) {
  const auto at = std::find_if(members_.begin(), members_.end(), [&](const auto& m) { return m.id == id; });
  return at == members_.end() ? nullptr : &*at;
}

bool member_ledger::any_computing() const {
  return std::any_of(members_.begin(), members_.end(), [](const auto& m) { return !m.idle(); });
}

lease& member_ledger::grant(member& to, std::uint64_t base_version, batch_list batches, double now) {
  to.outstanding.push_back({next_lease_++, base_version, std::move(batches), now});
  return to.outstanding.back();
}

std::optional<lease> member_ledger::settle(std::uint64_t member_id, std::uint64_t lease_id, double now) {
  member* m = find(member_id);
  if (m == nullptr || m->idle() || m->outstanding.front().id != lease_id)
    return std::nullopt;
  std::optional<lease> done = std::move(m->outstanding.front());
  m->outstanding.pop_front();
  if (!m->idle())
    m->outstanding.front().granted_at = now;
  m->idle_since = now;
  latest_clock_ = std::max(latest_clock_, ++m->clock);
  return done;
}

void member_ledger::align_clocks() {
  for (auto& m : members_)
    m.clock = latest_clock_;
}

cluster_view member_ledger::view(bool draining, std::uint64_t oldest_round) {
  views_.clear();
  for (const auto& m : members_)
    views_.push_back({m.id, m.clock, !m.idle(), m.ordered()});
  return {views_, draining, oldest_round};
}

} // namespace triage
