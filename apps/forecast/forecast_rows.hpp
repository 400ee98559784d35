#pragma once

#include "core/forecast/cluster_simulation.hpp"
#include "core/forecast/queueing_model.hpp"
#include "core/json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace triage {

/// A number of nodes, and what is said of it.
struct forecast_row {
  std::size_t nodes = 1;
  cluster_forecast simulated;
  double at_most = 0.0;                          ///< samples per second, however well everything overlaps
  double queueing_model = 0.0;                   ///< samples per second, nothing overlapped
  std::optional<double> measured = std::nullopt; ///< samples per second
};

[[nodiscard]] forecast_row forecast(const step_profile& profile, const exchange_policy& policy,
                                    const cluster_scenario& scenario);

/// What is forecast, under which assumptions, in lines.
[[nodiscard]] std::string forecast_heading(const step_profile& profile, const cluster_scenario& scenario);
[[nodiscard]] std::string forecast_table(const std::vector<forecast_row>& rows);
/// Samples per second of one worker beside the coordinator, without messages; about.
[[nodiscard]] double speed_in_one_process(const step_profile& profile);
/// What follows from the rows for somebody who has to choose.
[[nodiscard]] std::string forecast_advice(const step_profile& profile, const std::vector<forecast_row>& rows);
[[nodiscard]] json_value forecast_json(const step_profile& profile, const cluster_scenario& scenario,
                                       const std::vector<forecast_row>& rows);

} // namespace triage
