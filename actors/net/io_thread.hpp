#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

namespace triage {

/// The one thread of a process that talks to the network: links, listener and their timers live on it, so
/// none of them needs a lock. Ends when destroyed, whatever is still open then.
class io_thread {
public:
  io_thread();
  ~io_thread();
  io_thread(const io_thread&) = delete;
  io_thread& operator=(const io_thread&) = delete;

  [[nodiscard]] boost::asio::io_context& context() { return context_; }
  /// Ends the thread; what is posted afterwards is dropped. Before an actor system ends in which this thread
  /// has spawned actors: CAF waits for threads that hold its logger, and spawning makes them hold it.
  void stop();

private:
  void run();

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

} // namespace triage
