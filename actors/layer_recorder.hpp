#pragma once

#include "actors/trace.hpp"
#include "core/clock.hpp"
#include "nn/layer.hpp"

namespace triage {

/// Writes into a lane when each trained layer of a pass was computed, with the untrained ones around it:
/// "forward" with the floats at the front of the parameters that it needed, "wait" while they were not there,
/// "backward" with the floats of the gradient that became final. Stands between the network and those who
/// follow the pass. One thread.
class layer_recorder final : public gradient_observer, public parameter_gate {
public:
  /// Borrows both.
  layer_recorder(trace_lane& lane, const clock& time) : lane_(lane), clock_(time) {}

  /// A pass begins, of which those two hear as well; borrowed, either may be null. `trained`: floats of the
  /// trained prefix.
  void follow(std::uint64_t version, std::size_t trained, gradient_observer* observer, parameter_gate* gate);

  void await(std::size_t end) override;
  void final_from(std::size_t offset) override;

private:
  trace_lane& lane_;
  const clock& clock_;
  gradient_observer* observer_ = nullptr;
  parameter_gate* gate_ = nullptr;
  std::uint64_t version_ = 0;
  std::size_t final_from_ = 0;
  std::size_t needed_ = 0; ///< by the layer that is computed
  bool computing_ = false; ///< since `last_`
  double last_ = 0.0;
};

} // namespace triage
