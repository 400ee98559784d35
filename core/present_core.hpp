#pragma once

#include <cstddef>
#include <sched.h>

namespace triage {

/// The core that the caller is on, which may be another one in a moment: for choosing what its cache holds.
inline std::size_t present_core() {
  const int core = sched_getcpu();
  return core < 0 ? 0 : static_cast<std::size_t>(core);
}

} // namespace triage
