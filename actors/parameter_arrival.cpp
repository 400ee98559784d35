#include "actors/parameter_arrival.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <stdexcept>

namespace triage {

void parameter_arrival::advance(std::size_t end) {
  {
    const std::lock_guard guard(lock_);
    ready_.store(end < there_.begin ? end : std::max(end, there_.end), std::memory_order_release);
  }
  changed_.notify_all();
}

void parameter_arrival::fail(const std::string& reason) {
  {
    const std::lock_guard guard(lock_);
    if (!complete())
      problem_ = reason;
  }
  changed_.notify_all();
}

void parameter_arrival::await(std::size_t end) {
  if (ready() >= end)
    return;
  std::unique_lock guard(lock_);
  while (ready() < end && problem_.empty()) {
    const std::size_t before = ready();
    const bool moved =
        changed_.wait_for(guard, patience_, [&] { return ready() != before || !problem_.empty(); });
    if (!moved)
      problem_ = fmt::format("nothing has come for {:.0f} s", patience_.count());
  }
  if (ready() < end)
    throw std::runtime_error("the parameters of its order did not arrive: " + problem_);
}

} // namespace triage
