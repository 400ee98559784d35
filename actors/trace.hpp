#pragma once

#include "core/clock.hpp"
#include "core/result.hpp"

#include <functional>
#include <string>
#include <vector>

namespace triage {

/// One stretch of work in a lane; seconds of the run's clock.
struct trace_event {
  const char* name = "";
  double begin = 0.0;
  double end = 0.0;
  std::uint64_t version = 0;
  std::uint64_t floats = 0; ///< that it was about: of parameters needed, of a gradient that is final; 0: none
};

/// The events of one actor, collected without a lock by the actor itself and handed over when it ends.
struct trace_lane {
  std::string name;
  std::vector<trace_event> events;
  std::uint64_t lost = 0; ///< events beyond the bound
};

/// Adds an event, up to the bound of a lane.
void record(trace_lane& lane, const trace_event& event);

/// Whom lanes are handed to at the end of a run.
using trace_sink = std::function<result<void>(const std::vector<trace_lane>&)>;

/// Records into a lane while it lives; costs nothing when tracing is off (null lane).
class trace_span {
public:
  trace_span(trace_lane* lane, const clock& source, const char* name, std::uint64_t version)
      : lane_(lane), clock_(source), event_{name, lane != nullptr ? source.now() : 0.0, 0.0, version, 0} {}
  trace_span(const trace_span&) = delete;
  trace_span& operator=(const trace_span&) = delete;
  ~trace_span();

private:
  trace_lane* lane_;
  const clock& clock_;
  trace_event event_;
};

/// Writes lanes in the Chrome trace format (chrome://tracing, Perfetto): one thread per lane.
[[nodiscard]] result<void> write_chrome_trace(const std::string& path, const std::vector<trace_lane>& lanes);

} // namespace triage
