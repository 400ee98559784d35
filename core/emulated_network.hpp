#pragma once

namespace triage {

/// A slower network than the real one, for experiments; all zero: the network as it is.
struct emulated_network {
  double latency_ms = 0.0;
  double bandwidth_mbps = 0.0; ///< 0: no bound
  double jitter_ms = 0.0;
  double loss = 0.0; ///< probability that a packet is lost and sent again

  [[nodiscard]] bool active() const {
    return latency_ms > 0.0 || bandwidth_mbps > 0.0 || jitter_ms > 0.0 || loss > 0.0;
  }
};

} // namespace triage
