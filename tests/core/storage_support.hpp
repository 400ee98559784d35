#pragma once

#include "tests/core/data_support.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace triage::test {

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Runs `body` in a forked child, so that limits it sets stay there; whether it returned true.
inline bool in_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    bool good = false;
    try {
      good = body();
    } catch (...) {
    }
    _exit(good ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// From now on, this process gets `bytes` more of memory, and no further. What it has counts towards the
/// system's limit, which under the address sanitizer are terabytes that nobody touches.
inline void limit_more_memory(rlim_t bytes) {
  std::ifstream statm("/proc/self/statm"); // pages: size, resident, shared, text, lib, data and stack
  rlim_t data = 0;
  for (int field = 0; field < 6; ++field)
    statm >> data;
  const rlim_t whole = data * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + bytes;
  const rlimit limit{whole, whole};
  setrlimit(RLIMIT_DATA, &limit);
}

/// From now on, this process cannot write a file beyond `bytes`: what a full disk looks like.
inline void limit_file_size(rlim_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  setrlimit(RLIMIT_FSIZE, &limit);
}

/// From now on, this process opens no file.
inline void forbid_opening() {
  const rlimit limit{0, 0};
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// While it lives, temporary folders lie in memory where the system offers that: making a file durable costs
/// nothing there. For tests that stop a write in many places, not for those of durability.
class memory_temporaries {
public:
  memory_temporaries() {
    if (const char* before = std::getenv("TMPDIR"))
      before_ = before;
    if (access("/dev/shm", W_OK) == 0)
      setenv("TMPDIR", "/dev/shm", 1);
  }
  ~memory_temporaries() {
    if (before_)
      setenv("TMPDIR", before_->c_str(), 1);
    else
      unsetenv("TMPDIR");
  }
  memory_temporaries(const memory_temporaries&) = delete;
  memory_temporaries& operator=(const memory_temporaries&) = delete;

private:
  std::optional<std::string> before_;
};

/// A path that nobody can create, not even root: below a regular file.
inline std::string impossible_path(const temp_folder& folder) {
  return folder.write("a_file", "x") + "/below";
}

/// Equal bit by bit, which == is not for NaN and zeros.
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

} // namespace triage::test
