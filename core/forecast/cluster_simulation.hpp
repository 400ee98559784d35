#pragma once

#include "core/exchange.hpp"
#include "core/forecast/stations.hpp"
#include "core/forecast/step_profile.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace triage {

/// Cables; bytes and seconds. Infinity: no bound.
struct forecast_network {
  static constexpr double unbounded = std::numeric_limits<double>::infinity();
  double latency = 0.0;      ///< one way, towards the nodes and back
  double latency_down = 0.0; ///< on top of it, towards the nodes only
  // Bytes per second, from the coordinator (down) and to it (up).
  double coordinator_down = unbounded; ///< shared by all nodes
  double coordinator_up = unbounded;
  double node_down = unbounded; ///< of each
  double node_up = unbounded;
};

struct cluster_scenario {
  std::size_t nodes = 1; ///< of one worker each
  forecast_network network;
  /// All processes share a machine with so many cores; 0: each has as many as it has threads.
  std::size_t shared_cores = 0;
  message_order order = message_order::in_turn;
  std::uint64_t seed = 1;
  std::size_t answers = 200; ///< of each node that are simulated and counted; a tenth more go before them
  bool traced = false;
};

/// How much of the simulated time something was busy.
struct utilisation {
  std::string name;
  double share = 0.0;
};

/// In the trace: lane 0 is the coordinator, then the nodes.
struct simulated_span {
  std::size_t lane = 0;
  const char* name = "";
  double begin = 0.0;
  double end = 0.0;
  std::uint64_t version = 0;
};

struct cluster_forecast {
  double answers_per_second = 0.0;
  double samples_per_second = 0.0;
  double bytes_down = 0.0; ///< carried, from the first to the last moment
  double bytes_up = 0.0;
  std::vector<utilisation> busy; ///< "computing" is the nodes' mean; the busiest first
  std::vector<simulated_span> spans;
};

/// Plays a run of `scenario.nodes` workers, each of whose orders costs what a profiled one has cost, drawn at
/// random as a whole: averages would hide that slow layers come together. The decisions are those of the
/// policy itself, the protocol is that of run_controller and of the nodes: gradients leave in parts
/// as they become final and are added as they come, orders go out when a merge begins, parameters follow in
/// parts as they are merged and are waited for layer by layer. Deterministic for a seed.
/// Precondition: the profile has steps, the policy was prepared.
[[nodiscard]] cluster_forecast simulate_cluster(const step_profile& profile, const exchange_policy& policy,
                                                const cluster_scenario& scenario);

} // namespace triage
