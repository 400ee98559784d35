#pragma once

#include "process.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <thread>

namespace triage::test {

/// Waits until `done` says so; false after `seconds`.
template <class Done>
bool eventually(double seconds, const Done& done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < until) {
    if (done())
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return done();
}

/// The address in the log of a coordinator that was told to listen on port 0; empty when it never said.
inline std::string listening_address(const std::string& log) {
  std::string address;
  (void)eventually(20.0, [&] {
    const std::string text = file_text(log);
    const std::string mark = "listening for nodes on ";
    const auto at = text.find(mark);
    const auto end = at == std::string::npos ? at : text.find('\n', at);
    if (end == std::string::npos)
      return false;
    address = text.substr(at + mark.size(), end - at - mark.size());
    return true;
  });
  return address;
}

} // namespace triage::test
