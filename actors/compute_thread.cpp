#include "actors/compute_thread.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace triage {

void lower_thread_priority() {
  // Linux gives every thread a nice value of its own. Failure only means that nothing changes.
  constexpr int nice_value = 10;
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), nice_value);
}

} // namespace triage
