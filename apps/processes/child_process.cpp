#include "apps/processes/child_process.hpp"

#include "core/clock.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace triage {

namespace {

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
  argv.reserve(owned.size() + 1);
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
  // not pidfd_open(): the header of glibc 2.36 declares it as a C++ function
  child_process child(pid, static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (child.ended_ < 0)
    return run_error(
        fmt::format("a process cannot be watched: {}; are there too many open files?", std::strerror(errno)));
  return child;
}

child_process::child_process(child_process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), ended_(std::exchange(other.ended_, -1)) {}

child_process& child_process::operator=(child_process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(ended_, other.ended_);
  return *this;
}

child_process::~child_process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (ended_ >= 0)
    close(ended_);
}

std::optional<int> child_process::poll() {
  int status = 0;
  if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_)
    return std::nullopt;
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::optional<int> child_process::wait(double seconds) {
  const child_process* const self = this;
  wait_for_any({&self, 1}, seconds);
  return poll();
}

void child_process::signal(int number) const {
  if (pid_ > 0)
    kill(pid_, number);
}

void wait_for_any(std::span<const child_process* const> children, double seconds) {
  std::vector<pollfd> watched;
  for (const child_process* c : children)
    watched.push_back({.fd = c->ended_, .events = POLLIN, .revents = 0});
  const steady_clock clock;
  const double until = clock.now() + seconds;
  // a signal to this process interrupts the wait, not the promise
  for (double left = seconds; left > 0; left = until - clock.now())
    if (::poll(watched.data(), watched.size(), static_cast<int>(std::ceil(std::min(left, 1e6) * 1e3))) !=
            -1 ||
        errno != EINTR)
      return;
}

} // namespace triage
