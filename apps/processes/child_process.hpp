#pragma once

#include "core/result.hpp"

#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace triage {

/// The processor cores that this process may run on.
[[nodiscard]] std::vector<int> available_cores();

/// What to start, and how.
struct child_description {
  std::vector<std::string> arguments; ///< behind the program's name
  std::string program{};              ///< looked up in PATH; empty: this program
  std::string output_file{};          ///< for both of its streams; empty: where this process writes
  std::vector<int> cores{};           ///< that it may run on; empty: all
};

/// A child process. It dies with its parent, whatever ends that, is a process group of its own, so that the
/// terminal's signals do not reach it, and the destructor kills it.
class child_process {
public:
  [[nodiscard]] static result<child_process> start(const child_description& what);
  child_process(child_process&& other) noexcept;
  child_process& operator=(child_process&& other) noexcept;
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process();

  /// The exit code once it has ended, 128 + signal when a signal ended it.
  [[nodiscard]] std::optional<int> poll();
  /// Waits for that, up to `seconds`.
  [[nodiscard]] std::optional<int> wait(double seconds);
  void signal(int number) const;
  [[nodiscard]] pid_t pid() const { return pid_; } ///< negative once it has ended

private:
  friend void wait_for_any(std::span<const child_process* const> children, double seconds);
  child_process(pid_t pid, int ended) : pid_(pid), ended_(ended) {}

  pid_t pid_ = -1;
  int ended_ = -1; ///< a pidfd: readable once the child has ended
};

/// Returns when one of them has ended, and after `seconds` at the latest.
void wait_for_any(std::span<const child_process* const> children, double seconds);

} // namespace triage
