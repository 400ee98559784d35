#include "actors/net/io_thread.hpp"

namespace triage {

io_thread::io_thread() : guard_(context_.get_executor()), thread_([this] { context_.run(); }) {}

io_thread::~io_thread() {
  stop();
}

void io_thread::stop() {
  context_.stop();
  if (thread_.joinable())
    thread_.join();
}

} // namespace triage
