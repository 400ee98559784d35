#pragma once

#include "actors/interfaces.hpp"
#include "actors/run_context.hpp"

#include <string>

namespace triage {

/// The trace lane of an actor, kept in its state: records spans without a lock, and hands the lane to the
/// monitor when the actor's state is destroyed. Does nothing when the run is not traced.
class lane_recorder {
public:
  lane_recorder() = default;
  lane_recorder(const lane_recorder&) = delete;
  lane_recorder& operator=(const lane_recorder&) = delete;
  ~lane_recorder() { close(); }

  void open(const shared_context& context, const report_sink_actor& monitor, std::string name);
  /// Hands the lane over now; nothing is recorded afterwards.
  void close();
  /// Where other recorders of the same thread add events; null when the run is not traced.
  [[nodiscard]] trace_lane* lane() { return context_ != nullptr && context_->tracing ? &lane_ : nullptr; }
  /// Records from now until the span goes out of scope. Precondition: open was called.
  [[nodiscard]] trace_span span(const char* name, std::uint64_t version) {
    return {context_->tracing ? &lane_ : nullptr, *context_->time, name, version};
  }

private:
  shared_context context_;
  report_sink_actor monitor_;
  trace_lane lane_;
};

} // namespace triage
