#include "apps/race/machine.hpp"

#include "apps/processes/child_process.hpp"

#include <cstdlib>
#include <fstream>
#include <string>
#include <unistd.h>

namespace triage {

namespace {

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line))
    if (line.rfind("model name", 0) == 0)
      if (const auto colon = line.find(": "); colon != std::string::npos)
        return line.substr(colon + 2);
  return "unknown";
}

} // namespace

json_value machine_description() {
  json_value out;
  out.set("cpu", json_value(cpu_model()));
  out.set("cores", json_value(std::int64_t{sysconf(_SC_NPROCESSORS_ONLN)}));
  out.set("available_cores", json_value(static_cast<std::uint64_t>(available_cores().size())));
  out.set("memory_bytes",
          json_value(std::int64_t{sysconf(_SC_PHYS_PAGES)} * std::int64_t{sysconf(_SC_PAGESIZE)}));
  double load = 0.0;
  out.set("load", getloadavg(&load, 1) == 1 ? json_value(load) : json_value());
  return out;
}

} // namespace triage
