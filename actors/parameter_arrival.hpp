#pragma once

#include "nn/layer.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

namespace triage {

/// How much of a block of parameters is there while the rest is still being merged or travels: from its front
/// to `ready`. One thread says so, others read what is there or wait for more.
class parameter_arrival final : public parameter_gate {
public:
  /// Elements [begin, end) that were there before those in front of them; none where both are the same.
  struct head_start {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  /// `patience`: how long a waiting thread goes on without any progress.
  explicit parameter_arrival(std::size_t floats, head_start there = {0, 0},
                             std::chrono::duration<double> patience = default_patience)
      : floats_(floats), there_(there), patience_(patience) {}

  /// The elements [0, end) are there, and will not change any more. Never falls.
  void advance(std::size_t end);
  /// The rest will not come; who waits is told the reason. Without effect when all is there.
  void fail(const std::string& reason);

  /// What it covers may be read by the caller's thread.
  [[nodiscard]] std::size_t ready() const { return ready_.load(std::memory_order_acquire); }
  [[nodiscard]] bool complete() const { return ready() == floats_; }
  /// Throws std::runtime_error when the rest will not come, or nothing has come for `patience`.
  void await(std::size_t end) override;
  void await_all() { await(floats_); }

private:
  static constexpr std::chrono::seconds default_patience{60};

  const std::size_t floats_;
  const head_start there_;
  const std::chrono::duration<double> patience_;
  std::atomic<std::size_t> ready_{0};
  std::mutex lock_;
  std::condition_variable changed_;
  std::string problem_; ///< empty: more will come
};

} // namespace triage
