#pragma once

#include "core/emulated_network.hpp"
#include "core/rng.hpp"

#include <cstddef>
#include <cstdint>

namespace triage {

/// When what is sent now would arrive over the emulated network: bytes leave one after another at the
/// bandwidth, travel for the latency plus an exponential jitter, and wait for lost packets to be sent again,
/// as TCP does: one retransmission costs a round trip, at least 200 ms. Order is kept. One direction of one
/// connection; one thread.
class link_emulator {
public:
  link_emulator(const emulated_network& network, std::uint64_t seed, std::uint64_t stream)
      : network_(network), random_(seed, stream) {}

  /// Times in seconds of one clock; never before an earlier answer.
  [[nodiscard]] double arrival(double now, std::size_t bytes);

private:
  emulated_network network_;
  rng random_;
  double free_at_ = 0.0;
  double last_arrival_ = 0.0;
};

} // namespace triage
