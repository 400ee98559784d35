#pragma once

#include "core/forecast/cluster_simulation.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace triage {

/// Parameters of a version, from the moment that their merge begins.
struct versioned {
  std::uint64_t version = 0;
  std::size_t ready = 0; ///< floats
};

struct granted {
  std::shared_ptr<versioned> base;
  const profiled_step* step = nullptr;
  std::size_t messages_out = 0; ///< of its answer, that have not arrived
  bool computed = false;
  std::uint64_t round = 0;
};

struct simulated_node {
  simulated_node(fluid_simulation& s, std::size_t n, const std::vector<std::size_t>& cores,
                 const cluster_scenario& scenario, std::size_t down_cable, std::size_t up_cable)
      : number(n), compute(s, cores), network(s, cores), surroundings(s, cores, urgency::background),
        down(s, down_cable, scenario.network.node_down,
             scenario.network.latency + scenario.network.latency_down, scenario.order),
        up(s, up_cable, scenario.network.node_up, scenario.network.latency, scenario.order) {}

  std::size_t number;
  simulated_thread compute;
  simulated_thread network;
  simulated_thread surroundings; ///< all that nothing else explains, of both processes
  simulated_connection down;
  simulated_connection up;

  std::uint64_t clock = 0;
  std::deque<std::shared_ptr<granted>> outstanding; ///< as the coordinator sees it
  std::deque<std::shared_ptr<granted>> orders;      ///< that have arrived; the first one is computed
  std::shared_ptr<versioned> sent; ///< the newest parameters that it is sent, and how much of them it has got
  std::size_t floats_sent = 0;
  bool takes_turns = false; ///< a part is on its way out; the next follows behind those of other nodes
  std::uint64_t has_version = 0;
  std::size_t has_floats = 0;
  std::size_t op = 0; ///< of its first order
  bool computing = false;
  double computed_seconds = 0.0;
};

} // namespace triage
