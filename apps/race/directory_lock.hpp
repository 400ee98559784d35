#pragma once

#include "core/result.hpp"

#include <string>

namespace triage {

/// Makes a directory and holds it against other races; released with the object or the process.
class directory_lock {
public:
  [[nodiscard]] static result<directory_lock> take(const std::string& directory);
  directory_lock(directory_lock&& other) noexcept;
  directory_lock& operator=(directory_lock&&) = delete;
  ~directory_lock();

private:
  explicit directory_lock(int file) : file_(file) {}
  int file_ = -1;
};

} // namespace triage
