#include "core/fork_join.hpp"

namespace triage {

fork_join::fork_join(std::size_t lanes) {
  for (std::size_t lane = 1; lane < lanes; ++lane)
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

void fork_join::take_pieces(std::size_t lane) {
  for (std::size_t piece = next_++; piece < pieces_; piece = next_++)
    (*work_)(lane, piece);
}

void fork_join::run(std::size_t pieces, const piece_of_work& work) {
  {
    const std::lock_guard guard(lock_);
    work_ = &work;
    pieces_ = pieces;
    next_ = 0;
  }
  if (pieces > 1)
    begin_.notify_all();
  take_pieces(0);
  std::unique_lock guard(lock_);
  // No piece is left, so nobody enters any more; what this round refers to ends with this call.
  end_.wait(guard, [&] { return busy_ == 0; });
  work_ = nullptr;
}

void fork_join::serve(std::size_t lane) {
  std::unique_lock guard(lock_);
  for (;;) {
    begin_.wait(guard, [&] { return closing_ || (work_ != nullptr && next_ < pieces_); });
    if (closing_)
      return;
    ++busy_;
    guard.unlock();
    take_pieces(lane);
    guard.lock();
    if (--busy_ == 0)
      end_.notify_one();
  }
}

} // namespace triage
