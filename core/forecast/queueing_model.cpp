#include "core/forecast/queueing_model.hpp"
#include "core/protocol_sizes.hpp"

#include <algorithm>
#include <numeric>

namespace triage {

namespace {

/// Seconds of the merging thread for an answer; `together`: so many are merged in one pass.
double merging_demand(const step_profile& p, const exchange_policy& policy, std::size_t nodes,
                      std::size_t together) {
  const auto n = static_cast<double>(nodes);
  if (policy.merges_rounds())
    return p.merge_seconds() / n + (nodes > 1 ? p.add_seconds : 0.0);
  const auto k = static_cast<double>(together);
  return (p.merge_seconds() + (k - 1.0) * p.merge_more_seconds) / k;
}

/// Seconds of both ends' threads for the floats of an answer: {the coordinator's, the node's}.
std::pair<double, double> transfer_demands(const step_profile& p) {
  return {p.sending.byte * p.bytes_down + p.receiving.byte * p.bytes_up,
          p.receiving.byte * p.bytes_down + p.sending.byte * p.bytes_up};
}

} // namespace

double queueing_model::throughput(std::size_t n) const {
  std::vector<double> queue(station_seconds.size(), 0.0);
  double rate = 0.0;
  for (std::size_t k = 1; k <= n; ++k) {
    double cycle = think_seconds;
    for (std::size_t i = 0; i < queue.size(); ++i)
      cycle += station_seconds[i] * (1.0 + queue[i]);
    rate = static_cast<double>(k) / cycle;
    for (std::size_t i = 0; i < queue.size(); ++i)
      queue[i] = rate * station_seconds[i] * (1.0 + queue[i]);
  }
  return rate;
}

double queueing_model::bound(std::size_t n) const {
  const double cycle = std::accumulate(station_seconds.begin(), station_seconds.end(), think_seconds);
  const double alone = static_cast<double>(n) / cycle;
  const auto busiest = std::max_element(station_seconds.begin(), station_seconds.end());
  return busiest != station_seconds.end() && *busiest > 0.0 ? std::min(alone, 1.0 / *busiest) : alone;
}

queueing_model coarse_model(const step_profile& profile, const exchange_policy& policy,
                            const cluster_scenario& scenario) {
  const auto& network = scenario.network;
  const auto [coordinator, node] = transfer_demands(profile);
  queueing_model out;
  out.think_seconds = profile.compute_seconds() + profile.overhead_seconds + 2.0 * network.latency +
                      network.latency_down + node + profile.bytes_down / network.node_down +
                      profile.bytes_up / network.node_up;
  out.station_seconds = {merging_demand(profile, policy, scenario.nodes, 1), coordinator,
                         profile.bytes_down / network.coordinator_down,
                         profile.bytes_up / network.coordinator_up};
  return out;
}

double overlapped_bound(const step_profile& profile, const exchange_policy& policy,
                        const cluster_scenario& scenario) {
  const auto& network = scenario.network;
  const auto n = static_cast<double>(scenario.nodes);
  const auto [coordinator, node] = transfer_demands(profile);
  const double compute = profile.compute_seconds();
  const double merging = merging_demand(profile, policy, scenario.nodes, most_merged_in_turn);
  std::vector<double> demands = {compute / n,
                                 merging,
                                 coordinator,
                                 node / n,
                                 profile.bytes_down / network.coordinator_down,
                                 profile.bytes_up / network.coordinator_up,
                                 profile.bytes_down / network.node_down / n,
                                 profile.bytes_up / network.node_up / n};
  if (scenario.shared_cores > 0)
    demands.push_back(((profile.waits ? 0.0 : compute) + merging + coordinator + node) /
                      static_cast<double>(scenario.shared_cores));
  return 1.0 / *std::max_element(demands.begin(), demands.end());
}

} // namespace triage
