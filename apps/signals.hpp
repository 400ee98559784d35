#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace triage {

/// Turns SIGINT and SIGTERM into a stop request; the second one ends the process at once with 128 + signal.
/// Construct before any other thread exists: it blocks the signals for the whole process and waits for them
/// on a thread of its own.
class signal_watch {
public:
  /// `announcement`: what is said on stderr when the first one arrives.
  explicit signal_watch(
      const char* announcement = "stopping after this step; the state will be saved (once more: at once)");
  ~signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }
  /// The signal that arrived, or 0.
  [[nodiscard]] int received() const { return received_.load(); }

private:
  std::stop_source stop_;
  std::atomic<int> received_{0};
  std::atomic<bool> ending_{false};
  std::thread waiter_;
};

} // namespace triage
