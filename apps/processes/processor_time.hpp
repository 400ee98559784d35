#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace triage {

/// Follows how much processor time this process and some children have used, a hundred times a second.
/// Children may be added from any thread; one that has ended keeps what was seen last.
class processor_time {
public:
  processor_time();
  void add_child(pid_t pid);
  /// No more; the figures stay.
  void stop();
  /// Processor seconds of all of them between two moments of the steady clock, interpolated. After `stop`.
  [[nodiscard]] double between(double begin, double end) const;

private:
  struct sample {
    double at = 0.0;
    double used = 0.0;
  };
  void follow(const std::stop_token& stop);
  [[nodiscard]] double used_at(double moment) const;

  struct child {
    pid_t pid = 0;
    double used = 0.0;
  };
  std::mutex lock_;
  std::condition_variable_any never_; ///< woken by the stop alone
  std::vector<child> children_;
  std::vector<sample> samples_;
  std::jthread thread_; ///< last: it uses the others
};

} // namespace triage
