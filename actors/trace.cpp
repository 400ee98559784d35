#include "actors/trace.hpp"

#include "core/json.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <limits>

namespace triage {

namespace {
constexpr std::size_t most_events = 200'000;
}

void record(trace_lane& lane, const trace_event& event) {
  if (lane.events.size() < most_events)
    lane.events.push_back(event);
  else
    ++lane.lost;
}

trace_span::~trace_span() {
  if (lane_ == nullptr)
    return;
  event_.end = clock_.now();
  record(*lane_, event_);
}

result<void> write_chrome_trace(const std::string& path, const std::vector<trace_lane>& lanes) {
  double origin = std::numeric_limits<double>::infinity();
  for (const auto& lane : lanes)
    for (const auto& e : lane.events)
      origin = std::min(origin, e.begin);
  std::ofstream out(path, std::ios::binary);
  out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
  const char* separator = "\n";
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    out << separator
        << fmt::format(R"({{"ph":"M","pid":1,"tid":{},"name":"thread_name","args":{{"name":{}}}}})", i,
                       dump_json(json_value(lanes[i].name)));
    separator = ",\n";
    for (const auto& e : lanes[i].events)
      out << separator
          << fmt::format(
                 R"({{"ph":"X","pid":1,"tid":{},"name":"{}","ts":{:.3f},"dur":{:.3f},"args":{{"version":{}{}}}}})",
                 i, e.name, (e.begin - origin) * 1e6, (e.end - e.begin) * 1e6, e.version,
                 e.floats > 0 ? fmt::format(R"(,"floats":{})", e.floats) : std::string());
  }
  out << "\n]}\n";
  out.close();
  if (!out)
    return io_error(
        fmt::format("{}: the trace could not be written; is the disk full or the folder missing?", path));
  return {};
}

} // namespace triage
