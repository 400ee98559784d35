#include "core/process_memory.hpp"

#include <fstream>
#include <string>

namespace triage {

std::optional<std::uint64_t> peak_memory_bytes() {
  // Not getrusage, which counts what the parent held when it forked.
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    std::uint64_t kibibytes = 0;
    if (name == "VmHWM:" && status >> kibibytes)
      return kibibytes * 1024;
    std::getline(status, name);
  }
  return std::nullopt;
}

} // namespace triage
