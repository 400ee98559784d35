#include "actors/net/io_thread.hpp"

#include <cstdio>
#include <exception>

namespace triage {

io_thread::io_thread() : guard_(context_.get_executor()), thread_([this] { run(); }) {}

/// A task that finds no memory costs what it was about: a connection that falls silent is given up by its
/// deadline.
void io_thread::run() {
  while (!context_.stopped())
    try {
      context_.run();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "triage: a task of the network failed: %s\n", e.what());
    }
}

io_thread::~io_thread() {
  stop();
}

void io_thread::stop() {
  context_.stop();
  if (thread_.joinable())
    thread_.join();
}

} // namespace triage
