#include "core/files.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace triage {

namespace fs = std::filesystem;

namespace {

/// A file descriptor that closes itself.
class descriptor {
public:
  descriptor(const std::string& path, int flags, mode_t mode = 0644)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  /// Close now, to learn whether the last bytes got through.
  [[nodiscard]] bool close() {
    const bool done = ::close(fd_) == 0;
    fd_ = -1;
    return done;
  }

private:
  int fd_;
};

error failed(const std::string& path, const char* what) {
  return file_error(path, what, errno);
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

} // namespace

error file_error(const std::string& path, const std::string& what, int reason) {
  std::string hint;
  if (reason == ENOSPC || reason == EDQUOT || reason == EFBIG)
    hint = "; free some space, or choose another place";
  else if (reason == EACCES || reason == EROFS || reason == EPERM)
    hint = "; choose a place that can be written, or change its permissions";
  else if (reason == ENOENT || reason == ENOTDIR)
    hint = "; check that its folder exists";
  return io_error(fmt::format("{}: {}: {}{}", path, what, std::strerror(reason), hint));
}

result<std::string> read_file(const std::string& path, std::size_t most_bytes) {
  const descriptor file(path, O_RDONLY | O_NONBLOCK); // a pipe without a writer must not block the open
  struct stat info {};
  if (file.get() < 0 && errno == ENOENT)
    return io_error(fmt::format("{}: cannot be opened: {}; check the path", path, std::strerror(ENOENT)));
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0)
    return failed(path, "cannot be opened");
  if (!S_ISREG(info.st_mode))
    return io_error(
        fmt::format("{}: is {}, not a file", path, S_ISDIR(info.st_mode) ? "a directory" : "a device"));
  if (static_cast<std::size_t>(info.st_size) > most_bytes)
    return io_error(
        fmt::format("{}: {} bytes are more than such a file may have ({})", path, info.st_size, most_bytes));
  std::string bytes;
  try {
    bytes.resize(static_cast<std::size_t>(info.st_size));
  } catch (const std::exception&) { // a sparse file may claim any size
    return io_error(fmt::format("{}: its {} bytes do not fit into memory", path, info.st_size));
  }
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return failed(path, "cannot be read");
    if (n == 0)
      break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

result<void> write_file_durable(const std::string& path, std::string_view bytes) {
  descriptor file(path, O_WRONLY | O_CREAT | O_EXCL);
  if (file.get() < 0)
    return failed(path, "cannot be created");
  if (write_all(file.get(), bytes) && ::fsync(file.get()) == 0 && file.close())
    return {};
  auto problem = failed(path, "cannot be written");
  ::unlink(path.c_str());
  return problem;
}

result<void> write_file_atomic(const std::string& path, std::string_view bytes) {
  std::error_code ec;
  const auto present = fs::status(path, ec);
  if (fs::exists(present) && !fs::is_regular_file(present) && !fs::is_directory(present)) {
    // A pipe or a device (/dev/stdout) is written to, never replaced.
    const descriptor file(path, O_WRONLY);
    if (file.get() < 0 || !write_all(file.get(), bytes))
      return failed(path, "cannot be written");
    return {};
  }
  std::string target = path;
  if (fs::is_symlink(path, ec))
    if (const auto resolved = fs::canonical(path, ec); !ec)
      target = resolved.string();
  const std::string temporary = target + ".tmp";
  ::unlink(temporary.c_str()); // of a writer that crashed
  if (auto written = write_file_durable(temporary, bytes); !written.ok())
    return written;
  return replace_file(temporary, target);
}

result<void> replace_file(const std::string& temporary, const std::string& path) {
  const descriptor file(temporary, O_RDONLY);
  if (file.get() < 0 || ::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    auto problem = failed(path, "cannot be replaced");
    ::unlink(temporary.c_str());
    return problem;
  }
  const auto parent = fs::path(path).parent_path().string();
  return sync_directory(parent.empty() ? "." : parent);
}

result<void> sync_directory(const std::string& path) {
  const descriptor directory(path, O_RDONLY | O_DIRECTORY);
  // EINVAL: a file system whose directories cannot be flushed, and need not be.
  if (directory.get() < 0 || (::fsync(directory.get()) != 0 && errno != EINVAL))
    return failed(path, "cannot be made durable");
  return {};
}

result<void> check_writable(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    return file_error(path, "cannot be written", EISDIR);
  const auto folder = fs::path(path).parent_path();
  const bool there = fs::exists(path, ignored);
  const std::string asked = there ? path : folder.empty() ? "." : folder.string();
  if (::access(asked.c_str(), W_OK) != 0)
    return file_error(path, "cannot be written", errno);
  return {};
}

} // namespace triage
