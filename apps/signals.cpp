#include "apps/signals.hpp"

#include <csignal>
#include <cstdio>
#include <ctime>
#include <pthread.h>
#include <unistd.h>

namespace triage {

namespace {

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

} // namespace

signal_watch::signal_watch(const char* announcement) {
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  waiter_ = std::thread([this, set, announcement] {
    constexpr timespec poll{0, 100'000'000}; // notices the end of the run; signals arrive without delay
    while (!ending_.load()) {
      const int signal = sigtimedwait(&set, nullptr, &poll);
      if (signal <= 0)
        continue;
      if (received_.exchange(signal) != 0)
        _exit(128 + signal);
      std::fprintf(stderr, "\ntriage: %s\n", announcement);
      stop_.request_stop();
    }
  });
}

signal_watch::~signal_watch() {
  ending_.store(true);
  waiter_.join();
}

} // namespace triage
