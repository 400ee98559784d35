#include "actors/net/link_emulator.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {
constexpr double packet_bytes = 1448.0;
constexpr double shortest_retransmission = 0.2;
} // namespace

double link_emulator::arrival(double now, std::size_t bytes) {
  const double seconds_per_byte = network_.bandwidth_mbps > 0.0 ? 8.0 / (network_.bandwidth_mbps * 1e6) : 0.0;
  free_at_ = std::max(now, free_at_) + static_cast<double>(bytes) * seconds_per_byte;
  double travel = network_.latency_ms * 1e-3;
  if (network_.jitter_ms > 0.0)
    travel += -network_.jitter_ms * 1e-3 * std::log(1.0 - random_.uniform());
  if (network_.loss > 0.0) {
    // Packets lost within one window are sent again together, so a frame pays per loss of a retransmission,
    // not per packet.
    const double packets = std::ceil(static_cast<double>(bytes) / packet_bytes);
    const double any = 1.0 - std::pow(1.0 - network_.loss, packets);
    if (random_.uniform() < any) {
      double again = std::max(shortest_retransmission, 2e-3 * network_.latency_ms);
      travel += again;
      while (random_.uniform() < network_.loss)
        travel += again *= 2.0;
    }
  }
  last_arrival_ = std::max(last_arrival_, free_at_ + travel);
  return last_arrival_;
}

} // namespace triage
