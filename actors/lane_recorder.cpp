#include "actors/lane_recorder.hpp"

#include <caf/send.hpp>
#include <utility>

namespace triage {

void lane_recorder::open(const shared_context& context, const monitor_actor& monitor, std::string name) {
  context_ = context;
  monitor_ = monitor;
  lane_.name = std::move(name);
}

lane_recorder::~lane_recorder() {
  if (context_ != nullptr && context_->tracing)
    caf::anon_send(monitor_, std::move(lane_));
}

} // namespace triage
