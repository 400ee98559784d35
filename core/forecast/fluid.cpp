#include "core/forecast/fluid.hpp"

#include <algorithm>
#include <utility>

namespace triage {

namespace {
constexpr double never = std::numeric_limits<double>::infinity();
/// Activities that end within this of each other end together: rounding must not leave crumbs.
constexpr double moment = 1e-12;
} // namespace

std::size_t fluid_simulation::add_resource(double capacity) {
  resources_.push_back({.capacity = capacity});
  return resources_.size() - 1;
}

void fluid_simulation::start(double amount, double fastest, std::vector<std::size_t> uses, call done,
                             urgency when) {
  const bool unbounded = fastest == never && std::all_of(uses.begin(), uses.end(), [&](std::size_t r) {
                           return resources_[r].capacity == never;
                         });
  if (amount <= 0.0 || unbounded) {
    for (const auto r : uses)
      resources_[r].carried += std::max(amount, 0.0);
    return after(0.0, std::move(done));
  }
  activities_.push_back(
      {.left = amount, .fastest = fastest, .when = when, .uses = std::move(uses), .done = std::move(done)});
  changed_ = true;
}

void fluid_simulation::after(double seconds, call then) {
  events_.push_back({now_ + seconds, events_made_++, std::move(then)});
  std::push_heap(events_.begin(), events_.end());
}

void fluid_simulation::settle(activity& a, double rate) {
  a.rate = rate;
  a.settled = true;
  for (const auto r : a.uses) {
    resources_[r].left -= rate;
    --resources_[r].takers;
  }
}

void fluid_simulation::share_out() {
  for (auto& r : resources_)
    r.left = r.capacity;
  share_out_among(urgency::normal);
  share_out_among(urgency::background);
  changed_ = false;
}

void fluid_simulation::share_out_among(urgency when) {
  for (auto& r : resources_)
    r.takers = 0;
  std::size_t open = 0;
  for (auto& a : activities_) {
    if (a.when != when)
      continue;
    a.settled = false;
    ++open;
    for (const auto r : a.uses)
      ++resources_[r].takers;
  }
  const auto waits = [&](const activity& a) { return a.when == when && !a.settled; };
  while (open > 0) {
    // The smallest level at which something stops growing, and everybody whom that concerns.
    const auto level_of = [&](const activity& a) {
      double level = a.fastest;
      for (const auto r : a.uses)
        level =
            std::min(level, std::max(resources_[r].left, 0.0) / static_cast<double>(resources_[r].takers));
      return level;
    };
    double lowest = never;
    for (const auto& a : activities_)
      if (waits(a))
        lowest = std::min(lowest, level_of(a));
    const double stops = lowest * (1.0 + 1e-12);
    const std::size_t before = open;
    for (auto& a : activities_)
      if (waits(a) && level_of(a) <= stops) {
        settle(a, lowest);
        --open;
      }
    if (open == before)
      break; // not reached: the lowest one always stops
  }
}

void fluid_simulation::pass(double seconds) {
  now_ += seconds;
  for (auto& a : activities_) {
    a.left -= a.rate * seconds;
    for (const auto r : a.uses)
      resources_[r].carried += a.rate * seconds;
  }
}

bool fluid_simulation::advance() {
  if (changed_)
    share_out();
  double next = never;
  for (const auto& a : activities_)
    if (a.rate > 0.0)
      next = std::min(next, std::max(a.left, 0.0) / a.rate);
  const double timed = events_.empty() ? never : std::max(events_.front().at - now_, 0.0);
  if (next == never && timed == never)
    return false;
  pass(std::min(next, timed));
  if (timed <= next) {
    std::pop_heap(events_.begin(), events_.end());
    const call then = std::move(events_.back().then);
    events_.pop_back();
    then();
    return true;
  }
  std::vector<call> over;
  const auto rest = std::stable_partition(activities_.begin(), activities_.end(),
                                          [](const activity& a) { return a.left > a.rate * moment; });
  for (auto a = rest; a != activities_.end(); ++a)
    over.push_back(std::move(a->done));
  activities_.erase(rest, activities_.end());
  changed_ = true;
  for (const auto& done : over)
    done();
  return true;
}

} // namespace triage
