#include "core/fork_join.hpp"

#include "core/present_core.hpp"

#include <algorithm>
#include <immintrin.h>

namespace triage {

namespace {

using clock_type = std::chrono::steady_clock;

/// The last piece of another thread, which takes less than being woken.
constexpr std::chrono::microseconds longest_last_piece{100};

/// Whether `arrived` came true within `time`; keeps the core.
template <class Condition>
bool comes_true(std::chrono::microseconds time, const Condition& arrived) {
  for (const auto end = clock_type::now() + time; !arrived();) {
    if (clock_type::now() >= end)
      return false;
    _mm_pause();
  }
  return true;
}

} // namespace

void fork_join::share::fill(std::size_t begin, std::size_t end) {
  range.store((std::uint64_t{begin} << 32U) | end, std::memory_order_relaxed);
}

std::optional<std::size_t> fork_join::share::take(bool from_front) {
  auto now = range.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t begin = now >> 32U;
    const std::uint64_t end = now & 0xFFFFFFFFU;
    if (begin >= end)
      return std::nullopt;
    const auto rest = from_front ? ((begin + 1) << 32U) | end : (begin << 32U) | (end - 1);
    if (range.compare_exchange_weak(now, rest, std::memory_order_relaxed))
      return from_front ? begin : end - 1;
  }
}

fork_join::fork_join(std::size_t lanes, threads who)
    : shares_(std::max<std::size_t>(lanes, 1)), lane_taken_(shares_.size(), who == threads::own) {
  lane_taken_[0] = true; // by whoever calls run
  for (std::size_t lane = 1; lane < lanes && who == threads::own; ++lane)
    threads_.emplace_back([this, lane] { serve(lane); });
}

fork_join::~fork_join() {
  {
    const std::lock_guard guard(lock_);
    closing_ = true;
  }
  begin_.notify_all();
  for (auto& t : threads_)
    t.join();
}

bool fork_join::pieces_left() const {
  return std::any_of(shares_.begin(), shares_.end(), [](const share& s) {
    const auto range = s.range.load(std::memory_order_relaxed);
    return (range >> 32U) < (range & 0xFFFFFFFFU);
  });
}

void fork_join::take_pieces(std::size_t lane) {
  const std::size_t home = order_ == order::by_core ? present_core() % shares_.size() : 0;
  for (std::size_t k = 0; k < shares_.size(); ++k) {
    // Of another one's share the piece that it would reach last.
    const bool from_front = k == 0 || order_ == order::from_front;
    while (const auto piece = shares_[(home + k) % shares_.size()].take(from_front))
      (*work_)(lane, *piece);
  }
}

void fork_join::run(std::size_t pieces, const piece_of_work& work, order first) {
  const std::size_t sharing = first == order::by_core ? shares_.size() : 1;
  {
    const std::lock_guard guard(lock_);
    work_ = &work;
    order_ = first;
    for (std::size_t i = 0; i < sharing; ++i)
      shares_[i].fill(pieces * i / sharing, pieces * (i + 1) / sharing);
    rounds_.fetch_add(1, std::memory_order_release);
  }
  if (pieces > 1 && !threads_.empty())
    begin_.notify_all();
  take_pieces(0);
  comes_true(longest_last_piece, [&] { return busy_.load(std::memory_order_acquire) == 0; });
  std::unique_lock guard(lock_);
  // No piece is left, so nobody enters any more; what this round refers to ends with this call.
  end_.wait(guard, [&] { return busy_ == 0; });
  work_ = nullptr;
}

void fork_join::take_part(std::size_t lane, std::unique_lock<std::mutex>& guard) {
  ++busy_;
  guard.unlock();
  take_pieces(lane);
  guard.lock();
  if (--busy_ == 0)
    end_.notify_one();
}

void fork_join::serve(std::size_t lane) {
  std::unique_lock guard(lock_);
  for (;;) {
    begin_.wait(guard, [&] { return closing_ || under_way(); });
    if (closing_)
      return;
    take_part(lane, guard);
  }
}

void fork_join::assist(std::chrono::microseconds patience) {
  std::unique_lock guard(lock_);
  const auto free = std::find(lane_taken_.begin(), lane_taken_.end(), false);
  if (free == lane_taken_.end())
    return;
  *free = true;
  if (!under_way()) {
    const auto before = rounds_.load(std::memory_order_relaxed);
    guard.unlock();
    comes_true(patience, [&] { return rounds_.load(std::memory_order_acquire) != before; });
    guard.lock();
  }
  if (under_way())
    take_part(static_cast<std::size_t>(free - lane_taken_.begin()), guard);
  *free = false;
}

} // namespace triage
