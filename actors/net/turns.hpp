#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <memory>

namespace triage {

/// Work of the network's thread that comes in pieces and may wait: whoever has some does a piece in its turn,
/// and after each the thread takes up what has arrived meanwhile. Posted each for itself, all pieces that
/// wait would be done first: sixteen nodes' parameters, a millisecond before gradients are read that a merge
/// waits for. Lives on that thread; what waits when it is destroyed is not done.
class turns {
public:
  /// Does a piece; whether there is another one.
  using piece = std::function<bool()>;

  explicit turns(boost::asio::io_context& context) : queue_(std::make_shared<queue>(context)) {}

  void take(piece p);

private:
  struct queue {
    explicit queue(boost::asio::io_context& c) : context(c) {}
    boost::asio::io_context& context;
    std::deque<piece> waiting = {};
    bool posted = false;
  };
  static void post(const std::shared_ptr<queue>& q);
  static void do_next(const std::shared_ptr<queue>& q);

  std::shared_ptr<queue> queue_;
};

} // namespace triage
