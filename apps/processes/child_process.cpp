#include "apps/processes/child_process.hpp"

#include "core/files.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace triage {

namespace {

constexpr std::chrono::milliseconds look_interval{5};

/// After fork, in a program with threads: only calls that are safe in a signal handler.
[[noreturn]] void become_child(const char* program, char* const* arguments, int output,
                               const cpu_set_t* cores, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) // it died before it could be watched
    _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr); // the parent's signal_watch blocks some
  if (cores != nullptr && sched_setaffinity(0, sizeof *cores, cores) != 0)
    _exit(126);
  if (output >= 0) {
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
  }
  execvp(program, arguments);
  _exit(127);
}

} // namespace

std::vector<int> available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> out;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(static_cast<std::size_t>(i), &set))
        out.push_back(i);
  return out;
}

result<child_process> child_process::start(const child_description& what) {
  const std::string program = what.program.empty() ? "/proc/self/exe" : what.program;
  std::vector<std::string> owned{what.program.empty() ? "triage" : what.program};
  owned.insert(owned.end(), what.arguments.begin(), what.arguments.end());
  std::vector<char*> argv;
  for (auto& a : owned)
    argv.push_back(a.data());
  argv.push_back(nullptr);
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : what.cores)
    CPU_SET(static_cast<std::size_t>(core), &set);
  int output = -1;
  if (!what.output_file.empty()) {
    output = open(what.output_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (output < 0)
      return file_error(what.output_file, "cannot be written", errno);
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0)
    become_child(program.c_str(), argv.data(), output, what.cores.empty() ? nullptr : &set, parent);
  const int reason = errno;
  if (output >= 0)
    close(output);
  if (pid < 0)
    return run_error(
        fmt::format("a process cannot be started: {}; are there too many processes?", std::strerror(reason)));
  return child_process(pid);
}

child_process::child_process(child_process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

child_process& child_process::operator=(child_process&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

child_process::~child_process() {
  if (pid_ <= 0)
    return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::optional<int> child_process::poll() {
  int status = 0;
  if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_)
    return std::nullopt;
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::optional<int> child_process::wait(double seconds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (true) {
    if (const auto code = poll(); code || std::chrono::steady_clock::now() >= until)
      return code;
    std::this_thread::sleep_for(look_interval);
  }
}

void child_process::signal(int number) const {
  if (pid_ > 0)
    kill(pid_, number);
}

} // namespace triage
