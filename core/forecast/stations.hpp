#pragma once

#include "core/forecast/fluid.hpp"

#include <cstdint>
#include <deque>
#include <vector>

namespace triage {

/// A thread of a simulated machine: does one job after the other, on the cores that it shares with others.
class simulated_thread {
public:
  /// Borrows the simulation. `cores`: a resource of as many units as there are cores; none: it has its own.
  simulated_thread(fluid_simulation& simulation, std::vector<std::size_t> cores,
                   urgency when = urgency::normal)
      : simulation_(simulation), cores_(std::move(cores)), when_(when) {}
  simulated_thread(const simulated_thread&) = delete; // jobs refer to it
  simulated_thread& operator=(const simulated_thread&) = delete;

  /// Queues a job of so many seconds on a core of its own.
  void run(double seconds, fluid_simulation::call done);
  /// Seconds of work that it has done.
  [[nodiscard]] double worked() const { return worked_; }

private:
  struct job {
    double seconds = 0.0;
    fluid_simulation::call done;
  };
  void begin();

  fluid_simulation& simulation_;
  std::vector<std::size_t> cores_;
  urgency when_;
  std::deque<job> jobs_; ///< the first one is being done
  double worked_ = 0.0;
};

/// In which order the messages of a connection share it.
enum class message_order : std::uint8_t {
  in_turn,     ///< one after the other, as sent
  round_robin, ///< a quantum of each that waits, as HTTP/2 does it with its streams
};

/// One direction of a connection.
class simulated_connection {
public:
  /// Borrows the simulation. `cable`: a resource that it shares with others; `fastest`: bytes per second of
  /// its own. What arrives has travelled for `latency` seconds beside the time that its bytes take.
  simulated_connection(fluid_simulation& simulation, std::size_t cable, double fastest, double latency,
                       message_order order = message_order::in_turn, double quantum = 65536.0)
      : simulation_(simulation), cable_(cable), fastest_(fastest), latency_(latency), order_(order),
        quantum_(quantum) {}
  simulated_connection(const simulated_connection&) = delete;
  simulated_connection& operator=(const simulated_connection&) = delete;

  void send(double bytes, fluid_simulation::call arrived);

private:
  struct message {
    double left = 0.0;
    fluid_simulation::call arrived;
  };
  void begin();

  fluid_simulation& simulation_;
  std::size_t cable_;
  double fastest_;
  double latency_;
  message_order order_;
  double quantum_;
  std::deque<message> messages_; ///< the first one is being sent
};

} // namespace triage
