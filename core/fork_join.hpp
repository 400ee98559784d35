#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace triage {

/// Shares pieces of work among threads and waits until all are done. The threads sleep in between, and waking
/// one takes as long as a small piece: so pieces are handed out one by one, the caller begins at once, and a
/// thread that wakes too late finds nothing left and keeps nobody waiting. Owned and called by one thread.
class fork_join {
public:
  /// `lanes` threads in all, the caller's included; at least 1.
  explicit fork_join(std::size_t lanes);
  ~fork_join();
  fork_join(const fork_join&) = delete;
  fork_join& operator=(const fork_join&) = delete;

  [[nodiscard]] std::size_t lanes() const { return threads_.size() + 1; }
  /// Calls work(lane, piece) once for every piece below `pieces`, in any order; calls with one lane come from
  /// one thread at a time, lane 0 being the caller. Returns when all have returned. `work` must not throw.
  using piece_of_work = std::function<void(std::size_t lane, std::size_t piece)>;
  void run(std::size_t pieces, const piece_of_work& work);

private:
  void serve(std::size_t lane);
  void take_pieces(std::size_t lane);

  std::mutex lock_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const piece_of_work* work_ = nullptr; ///< null between rounds
  std::size_t pieces_ = 0;
  std::atomic<std::size_t> next_{0};
  std::size_t busy_ = 0; ///< threads beside the caller's that hold pieces
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

} // namespace triage
