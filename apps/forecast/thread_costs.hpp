#pragma once

#include "actors/run_setup.hpp"
#include "core/forecast/step_profile.hpp"
#include "core/short_floats.hpp"

namespace triage {

/// What it costs the threads at both ends of a connection to frame, write, read and take messages, measured
/// over loopback in processor time, so that waiting for each other is not in it.
struct message_costs {
  message_cost sending;
  message_cost receiving;
};
/// Throws std::runtime_error when the ends cannot connect.
[[nodiscard]] message_costs measure_message_costs(float_format format);

/// What further workers cost the coordinator, measured: adding a gradient to a sum, and merging one more in
/// the same pass. Seconds for a whole gradient.
struct merging_costs {
  double add = 0.0;
  double merge_more = 0.0;
};
[[nodiscard]] merging_costs measure_merging_costs(const run_setup& setup);

} // namespace triage
