#pragma once

#include "core/forecast/cluster_simulation.hpp"

#include <vector>

namespace triage {

/// The coarse picture of a run whose workers wait for nobody but what they share: a closed network of queues.
/// Each answer thinks (its worker computes), then visits every station in turn; nothing overlaps. A check of
/// the simulation, and an answer at once.
struct queueing_model {
  double think_seconds = 0.0;
  std::vector<double> station_seconds; ///< demands of an answer, each at a server that all share

  /// Answers per second of n workers by exact mean value analysis (Reiser and Lavenberg, JACM 1980).
  [[nodiscard]] double throughput(std::size_t n) const;
  /// No n workers are faster: neither than each undisturbed, nor than the busiest station.
  [[nodiscard]] double bound(std::size_t n) const;
};

/// Of nodes with cores of their own.
[[nodiscard]] queueing_model coarse_model(const step_profile& profile, const exchange_policy& policy,
                                          const cluster_scenario& scenario);

/// Answers per second that the scenario cannot exceed even if everything overlapped that can: computing, the
/// cables, the coordinator's two threads and the cores, each on its own.
[[nodiscard]] double overlapped_bound(const step_profile& profile, const exchange_policy& policy,
                                      const cluster_scenario& scenario);

} // namespace triage
