#include "actors/lane_recorder.hpp"

#include <caf/send.hpp>
#include <utility>

namespace triage {

void lane_recorder::open(const shared_context& context, const report_sink_actor& monitor, std::string name) {
  context_ = context;
  monitor_ = monitor;
  lane_.name = std::move(name);
}

void lane_recorder::close() {
  if (context_ != nullptr && context_->tracing && monitor_)
    caf::anon_send(monitor_, std::move(lane_));
  monitor_ = report_sink_actor{};
}

} // namespace triage
