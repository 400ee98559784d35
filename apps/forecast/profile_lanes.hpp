#pragma once

#include "actors/trace.hpp"
#include "core/forecast/step_profile.hpp"
#include "core/result.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace triage {

/// The first steps of a run are not like the others: kernels are built, memory is touched for the first time.
inline constexpr std::size_t steps_before_profile = 10;

/// What a traced run of one worker has recorded, as the steps of a profile. An order whose merge is not in
/// the trace is left out.
struct recorded_steps {
  std::vector<profiled_step> steps;
  double begin = 0.0;      ///< on the steady clock: when the last answer before them was there
  double end = 0.0;        ///< when their last one was
  std::size_t answers = 0; ///< between the two
  [[nodiscard]] double step_seconds() const { return (end - begin) / static_cast<double>(answers); }
};

/// `floats` of the parameters; `local`: orders are rounds of local steps, whose answer leaves as a whole.
/// Fails when there are fewer than `least` steps behind the first ones.
[[nodiscard]] result<recorded_steps> steps_of_trace(std::span<const trace_lane> lanes, std::size_t floats,
                                                    bool local, std::size_t least);

} // namespace triage
