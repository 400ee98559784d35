#pragma once

#include "core/result.hpp"

#include <string>

namespace triage {

/// Makes a directory and holds it against other processes, by a file "lock" in it; released with the object
/// or the process.
class directory_lock {
public:
  /// Kind io when it cannot be made or written to; kind configuration, and `taken` with the directory before
  /// it as its sentence, when somebody else holds it.
  [[nodiscard]] static result<directory_lock> take(const std::string& directory, const std::string& taken);
  directory_lock(directory_lock&& other) noexcept;
  directory_lock& operator=(directory_lock&&) = delete;
  ~directory_lock();

private:
  explicit directory_lock(int file) : file_(file) {}
  int file_ = -1;
};

} // namespace triage
