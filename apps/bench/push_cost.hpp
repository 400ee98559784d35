#pragma once

#include "apps/bench/linked_threads.hpp"
#include "apps/bench/step.hpp"
#include "core/short_floats.hpp"

namespace triage {

/// Steps per second of a worker that sends each gradient over a link, part by part while the rest is
/// computed, to an end that receives it into blocks of its own and does nothing else. At most two gradients
/// are on their way, as with two orders in flight.
[[nodiscard]] double pushing_steps_per_second(training_step& step, float_format format,
                                              link_transport transport, double seconds);

} // namespace triage
