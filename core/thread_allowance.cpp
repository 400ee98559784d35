#include "core/thread_allowance.hpp"

#include <fmt/format.h>
#include <latch>
#include <system_error>
#include <thread>
#include <vector>

namespace triage {

result<void> check_threads(std::size_t count) {
  std::latch all_tried(1);
  std::vector<std::jthread> threads;
  threads.reserve(count);
  std::string refusal;
  try {
    while (threads.size() < count)
      threads.emplace_back([&all_tried] { all_tried.wait(); });
  } catch (const std::system_error& e) {
    refusal = e.code().message();
  }
  all_tried.count_down();
  if (refusal.empty())
    return {};
  return run_error(
      fmt::format("the system lets this process start {} threads and not {} ({}): raise the limits of "
                  "processes and memory (ulimit -u, ulimit -v), or lower the number of workers",
                  threads.size(), count, refusal));
}

} // namespace triage
