#include "core/process_room.hpp"

#include <fmt/format.h>
#include <latch>
#include <malloc.h>
#include <new>
#include <sys/mman.h>
#include <sys/resource.h>
#include <system_error>
#include <thread>
#include <vector>

namespace triage {

namespace {

constexpr const char* remedy =
    "raise the limits of processes and memory (ulimit -u, ulimit -v), or lower the number "
    "of workers";

bool may_take(std::size_t bytes) {
  if (bytes == 0)
    return true;
  void* const at =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    return false;
  ::munmap(at, bytes);
  return true;
}

} // namespace

result<void> check_room(std::size_t count, std::size_t bytes) {
  std::latch all_tried(1);
  std::vector<std::jthread> threads;
  threads.reserve(count);
  std::string refusal;
  bool room = true;
  try {
    while (threads.size() < count)
      threads.emplace_back([&all_tried] { all_tried.wait(); });
    room = may_take(bytes);
  } catch (const std::system_error& e) {
    refusal = e.code().message();
  } catch (const std::bad_alloc&) { // whoever waits must be told, or its end would be waited for
    refusal = "out of memory";
  }
  all_tried.count_down();
  if (!refusal.empty())
    return run_error(fmt::format("the system lets this process start {} threads and not {} ({}): {}",
                                 threads.size(), count, refusal, remedy));
  if (!room)
    return run_error(
        fmt::format("out of memory: the system does not let this process take {} MB beside {} threads: {}",
                    bytes / 1'000'000, count, remedy));
  return {};
}

void spare_address_space() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    mallopt(M_ARENA_MAX, 1);
}

} // namespace triage
