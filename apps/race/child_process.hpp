#pragma once

#include "core/result.hpp"

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace triage {

/// The processor cores that this process may run on.
[[nodiscard]] std::vector<int> available_cores();

/// This program as a child process on given cores, its output in a file. It dies with its parent, whatever
/// ends that; the destructor kills it.
class child_process {
public:
  [[nodiscard]] static result<child_process> start(const std::vector<std::string>& arguments,
                                                   const std::string& output_file,
                                                   const std::vector<int>& cores);
  child_process(child_process&& other) noexcept;
  child_process& operator=(child_process&& other) noexcept;
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process();

  /// The exit code once it has ended, 128 + signal when a signal ended it.
  [[nodiscard]] std::optional<int> poll();
  void signal(int number) const;

private:
  explicit child_process(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
};

} // namespace triage
