#include "apps/launch/launched_nodes.hpp"

#include "apps/support.hpp"
#include "core/clock.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>

namespace triage {

namespace {
/// Between two looks at whether the watch is over.
constexpr double look_seconds = 0.2;

template <class Nodes>
std::vector<const child_process*> living(const Nodes& nodes) {
  std::vector<const child_process*> out;
  for (const auto& n : nodes)
    if (!n.code)
      out.push_back(&n.process);
  return out;
}
} // namespace

void launched_nodes::start(const std::vector<node_start>& plan) {
  for (const auto& p : plan) {
    auto child = child_process::start(p.process);
    if (child.ok())
      nodes_.push_back({p.name, child.take()});
    else
      complain(child.error());
  }
  if (nodes_.empty())
    all_failed_.request_stop();
  watcher_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

void launched_nodes::watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<const child_process*> left;
    {
      const std::lock_guard lock(mutex_);
      left = living(nodes_);
    }
    if (left.empty())
      return;
    wait_for_any(left, look_seconds);
    take_ends();
  }
}

void launched_nodes::take_ends() {
  const std::lock_guard lock(mutex_);
  for (auto& n : nodes_) {
    if (n.code)
      continue;
    n.code = n.process.poll();
    if (n.code && *n.code != 0)
      std::fprintf(stderr, "triage: the node %s ended with code %d%s\n", n.name.c_str(), *n.code,
                   over_ ? "" : " before the run did");
  }
  const auto failed = [](const node& n) { return n.code && *n.code != 0; };
  if (!over_ && std::all_of(nodes_.begin(), nodes_.end(), failed) && all_failed_.request_stop())
    std::fprintf(stderr,
                 "triage: all nodes have failed, so the run is interrupted; mend them and resume it\n");
}

void launched_nodes::end(bool dismiss, double seconds) {
  watcher_ = {};
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    if (dismiss)
      for (const auto& n : nodes_)
        n.process.signal(SIGTERM);
  }
  const steady_clock clock;
  const double until = clock.now() + seconds;
  for (double left = seconds; left > 0.0 && !living(nodes_).empty(); left = until - clock.now()) {
    wait_for_any(living(nodes_), left);
    take_ends();
  }
  nodes_.clear();
}

} // namespace triage
