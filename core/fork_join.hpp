#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace triage {

/// Runs one piece of work on several threads and waits for all of them. The threads sleep in between. Owned
/// and called by one thread, which does its share.
class fork_join {
public:
  /// `lanes` threads in all, the caller's included; at least 1.
  explicit fork_join(std::size_t lanes);
  ~fork_join();
  fork_join(const fork_join&) = delete;
  fork_join& operator=(const fork_join&) = delete;

  [[nodiscard]] std::size_t lanes() const { return threads_.size() + 1; }
  /// Calls work(lane) for every lane, each on a thread of its own, and returns when all have returned. `work`
  /// must not throw.
  void run(const std::function<void(std::size_t)>& work);

private:
  void serve(std::size_t lane);

  std::mutex lock_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const std::function<void(std::size_t)>* work_ = nullptr;
  std::uint64_t round_ = 0;
  std::size_t busy_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

} // namespace triage
