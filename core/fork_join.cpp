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

void fork_join::run(const std::function<void(std::size_t)>& work) {
  if (!threads_.empty()) {
    {
      const std::lock_guard guard(lock_);
      work_ = &work;
      busy_ = threads_.size();
      ++round_;
    }
    begin_.notify_all();
  }
  work(0);
  if (threads_.empty())
    return;
  std::unique_lock guard(lock_);
  end_.wait(guard, [&] { return busy_ == 0; });
}

void fork_join::serve(std::size_t lane) {
  std::uint64_t done = 0;
  std::unique_lock guard(lock_);
  for (;;) {
    begin_.wait(guard, [&] { return closing_ || round_ != done; });
    if (closing_)
      return;
    done = round_;
    const auto* const work = work_;
    guard.unlock();
    (*work)(lane);
    guard.lock();
    if (--busy_ == 0)
      end_.notify_one();
  }
}

} // namespace triage
