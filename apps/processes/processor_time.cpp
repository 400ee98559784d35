#include "apps/processes/processor_time.hpp"

#include "core/clock.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace triage {

namespace {

constexpr std::chrono::milliseconds interval{10};

double used_by(clockid_t clock, double otherwise) {
  timespec used{};
  return clock_gettime(clock, &used) == 0
             ? static_cast<double>(used.tv_sec) + 1e-9 * static_cast<double>(used.tv_nsec)
             : otherwise;
}

double used_by_child(pid_t pid, double otherwise) {
  clockid_t clock{};
  return clock_getcpuclockid(pid, &clock) == 0 ? used_by(clock, otherwise) : otherwise;
}

} // namespace

processor_time::processor_time() : thread_([this](const std::stop_token& stop) { follow(stop); }) {}

void processor_time::add_child(pid_t pid) {
  const std::lock_guard guard(lock_);
  children_.push_back({pid, 0.0});
}

void processor_time::stop() {
  thread_ = {};
}

void processor_time::follow(const std::stop_token& stop) {
  const steady_clock time;
  std::unique_lock guard(lock_);
  do {
    double used = used_by(CLOCK_PROCESS_CPUTIME_ID, 0.0);
    for (auto& c : children_)
      used += c.used = used_by_child(c.pid, c.used);
    samples_.push_back({time.now(), used});
    (void)never_.wait_for(guard, stop, interval, [] { return false; });
  } while (!stop.stop_requested());
}

double processor_time::used_at(double moment) const {
  const auto after = std::lower_bound(samples_.begin(), samples_.end(), moment,
                                      [](const sample& s, double t) { return s.at < t; });
  if (after == samples_.begin())
    return samples_.empty() ? 0.0 : after->used;
  if (after == samples_.end())
    return samples_.back().used;
  const auto before = std::prev(after);
  const double share = (moment - before->at) / (after->at - before->at);
  return before->used + share * (after->used - before->used);
}

double processor_time::between(double begin, double end) const {
  return used_at(end) - used_at(begin);
}

} // namespace triage
