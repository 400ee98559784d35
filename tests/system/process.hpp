#pragma once

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace triage::test {

/// How a program ended, and what it said.
struct finished_process {
  int exit_code = -1; ///< 128 + signal when a signal ended it
  std::string output; ///< stdout and stderr together
  /// Processor time, also of the kernel: unlike the time on the wall it does not depend on who else computes.
  double cpu_seconds = 0.0;
};

/// The program under test as a real process; killed when the object goes out of scope.
class process {
public:
  /// `in_child` runs between fork and exec: it may take rights and resources away.
  explicit process(std::vector<std::string> arguments, std::string output_file = "/dev/null",
                   const std::function<void()>& in_child = {})
      : output_file_(std::move(output_file)) {
    arguments.insert(arguments.begin(), TRIAGE_BINARY_DIR "/triage");
    std::vector<char*> argv;
    for (auto& a : arguments)
      argv.push_back(a.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      if (chdir(TRIAGE_SOURCE_DIR) != 0) // paths in the examples start at the project's root
        _exit(126);
      const int out = open(output_file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      dup2(out, STDOUT_FILENO);
      dup2(out, STDERR_FILENO);
      if (in_child)
        in_child();
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  void signal(int number) const { kill(pid_, number); }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running() const {
    siginfo_t ended{};
    return waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid == 0;
  }
  int wait() {
    int status = 0;
    rusage used{};
    wait4(pid_, &status, 0, &used);
    pid_ = -1;
    for (const timeval& t : {used.ru_utime, used.ru_stime})
      cpu_seconds_ += static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  /// What it has used, once waited for.
  [[nodiscard]] double cpu_seconds() const { return cpu_seconds_; }

private:
  std::string output_file_;
  pid_t pid_ = -1;
  double cpu_seconds_ = 0.0;
};

inline std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// Runs to the end.
inline finished_process run_triage(const std::vector<std::string>& arguments, const std::string& scratch_file,
                                   const std::function<void()>& in_child = {}) {
  process p(arguments, scratch_file, in_child);
  finished_process out;
  out.exit_code = p.wait();
  out.cpu_seconds = p.cpu_seconds();
  out.output = file_text(scratch_file);
  return out;
}

} // namespace triage::test
