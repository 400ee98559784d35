#include "core/forecast/stations.hpp"

#include <algorithm>
#include <utility>

namespace triage {

void simulated_thread::run(double seconds, fluid_simulation::call done) {
  jobs_.push_back({seconds, std::move(done)});
  if (jobs_.size() == 1)
    begin();
}

void simulated_thread::begin() {
  const auto done = [this] {
    const job over = std::move(jobs_.front());
    worked_ += over.seconds;
    jobs_.pop_front();
    if (!jobs_.empty())
      begin();
    over.done();
  };
  simulation_.start(jobs_.front().seconds, 1.0, cores_, done, when_);
}

void simulated_connection::send(double bytes, fluid_simulation::call arrived) {
  messages_.push_back({bytes, std::move(arrived)});
  if (messages_.size() == 1)
    begin();
}

void simulated_connection::begin() {
  message& first = messages_.front();
  const double some = order_ == message_order::round_robin ? std::min(quantum_, first.left) : first.left;
  simulation_.start(some, fastest_, {cable_}, [this, some] {
    message sent = std::move(messages_.front());
    messages_.pop_front();
    sent.left -= some;
    if (sent.left > 0.0)
      messages_.push_back(std::move(sent));
    else
      simulation_.after(latency_, std::move(sent.arrived));
    if (!messages_.empty())
      begin();
  });
}

} // namespace triage
