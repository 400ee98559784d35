#include "actors/net/turns.hpp"

#include <boost/asio/post.hpp>
#include <utility>

namespace triage {

void turns::take(piece p) {
  queue_->waiting.push_back(std::move(p));
  if (!queue_->posted)
    post(queue_);
}

/// Posted twice: what has arrived by now is queued by asio behind what was posted before it looked.
void turns::post(const std::shared_ptr<queue>& q) {
  q->posted = true;
  boost::asio::post(q->context, [weak = std::weak_ptr(q)] {
    if (const auto waiting = weak.lock())
      boost::asio::post(waiting->context, [weak] {
        if (const auto held = weak.lock())
          do_next(held);
      });
  });
}

void turns::do_next(const std::shared_ptr<queue>& q) {
  piece p = std::move(q->waiting.front());
  q->waiting.pop_front();
  // Before the piece is done: should it throw, the others still have their turns.
  q->posted = false;
  if (!q->waiting.empty())
    post(q);
  if (!p())
    return;
  q->waiting.push_back(std::move(p));
  if (!q->posted)
    post(q);
}

} // namespace triage
