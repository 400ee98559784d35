#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace triage {

/// Shares pieces of work among threads and waits until all are done. Its own threads sleep in between, and
/// waking one takes as long as a small piece: so pieces are handed out one by one, the caller begins at once,
/// and a thread that wakes too late finds nothing left and keeps nobody waiting. Threads of others that have
/// nothing to do may help instead. Owned by one thread, which alone calls `run`.
class fork_join {
public:
  /// Which pieces come first.
  enum class order {
    from_front, ///< the first ones, whoever takes them
    by_core     ///< each core's own, the same in every round, as its cache still holds what they touch
  };

  enum class threads {
    own,   ///< it starts one for each lane but the caller's
    guests ///< it starts none: others call `assist`
  };

  /// `lanes` threads in all, the caller's included; at least 1.
  explicit fork_join(std::size_t lanes, threads who = threads::own);
  ~fork_join();
  fork_join(const fork_join&) = delete;
  fork_join& operator=(const fork_join&) = delete;

  [[nodiscard]] std::size_t lanes() const { return shares_.size(); }
  /// Calls work(lane, piece) once for every piece below `pieces`, fewer than 2^32; calls with one lane come
  /// from one thread at a time, lane 0 being the caller. Returns when all have returned. `work` must not
  /// throw.
  using piece_of_work = std::function<void(std::size_t lane, std::size_t piece)>;
  void run(std::size_t pieces, const piece_of_work& work, order first = order::from_front);
  /// From any thread: waits for a round for at most `patience`, without giving the core away, and takes part
  /// in it. Returns at once when all other lanes are taken, so that somebody is left who calls `run`.
  void assist(std::chrono::microseconds patience);
  /// There is no round this time: whoever waits for one in `assist` returns.
  void release() { rounds_.fetch_add(1, std::memory_order_release); }

private:
  /// A range of pieces that are not taken yet; taken from either end by any thread.
  struct alignas(64) share {
    std::atomic<std::uint64_t> range{0}; ///< begin in the upper half, end in the lower
    void fill(std::size_t begin, std::size_t end);
    std::optional<std::size_t> take(bool from_front);
  };

  void serve(std::size_t lane);
  /// With the lock held, which it gives back meanwhile.
  void take_part(std::size_t lane, std::unique_lock<std::mutex>& guard);
  void take_pieces(std::size_t lane);
  [[nodiscard]] bool under_way() const { return work_ != nullptr && pieces_left(); }
  [[nodiscard]] bool pieces_left() const;

  std::mutex lock_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const piece_of_work* work_ = nullptr; ///< null between rounds
  bool closing_ = false;
  std::vector<share> shares_;    ///< one a lane
  std::vector<bool> lane_taken_; ///< by a guest
  order order_ = order::from_front;
  std::atomic<std::uint64_t> rounds_{0}; ///< begun, or called off
  std::atomic<std::size_t> busy_{0};     ///< threads beside the caller's that hold pieces
  std::vector<std::thread> threads_;
};

} // namespace triage
