#pragma once

#include "core/forecast/cluster_simulation.hpp"
#include "core/forecast/step_profile.hpp"
#include "core/json.hpp"
#include "core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace triage {

struct run_setup;

/// The run that is profiled or measured: without evaluations, for so many seconds, its work done by `nodes`
/// processes of one worker each. Errors are those of the description.
[[nodiscard]] result<std::shared_ptr<const run_setup>>
forecast_setup(const json_value& description, const std::string& source, int nodes, double seconds);

/// The network between processes of this machine that the description emulates.
[[nodiscard]] forecast_network emulated_network_of(const run_setup& setup);

/// The samples of an order, of which the description has `most`, where a run has trained so many in so many
/// orders: batches are smaller where the training set ends before they are full.
[[nodiscard]] std::size_t samples_of_order(std::size_t most, std::uint64_t trained, std::uint64_t orders);

/// Runs what was prepared, which is made for one node, traced, and measures what transfers and merges cost
/// its threads. Where it ends after too few steps it is run once more, as long as it takes. What the parts do
/// not explain of the measured step becomes the profile's overhead.
[[nodiscard]] result<step_profile> measure_profile(const json_value& description,
                                                   const std::shared_ptr<const run_setup>& prepared);

} // namespace triage
