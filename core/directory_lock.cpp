#include "core/directory_lock.hpp"

#include "core/files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace triage {

result<directory_lock> directory_lock::take(const std::string& directory, const std::string& taken) {
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);
  if (ec)
    return io_error(
        fmt::format("{}: the directory cannot be created ({}); choose another", directory, ec.message()));
  const std::string path = directory + "/lock";
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); // no child inherits the lock
  if (file < 0)
    return file_error(path, "cannot be written", errno);
  if (flock(file, LOCK_EX | LOCK_NB) == 0)
    return directory_lock(file);
  close(file);
  return configuration_error(fmt::format("{}: {}", directory, taken));
}

directory_lock::directory_lock(directory_lock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

directory_lock::~directory_lock() {
  if (file_ >= 0)
    close(file_);
}

} // namespace triage
