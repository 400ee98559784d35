#include "core/metrics.hpp"

#include "core/files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace triage {

namespace {

bool ends_within_line(int file) {
  struct stat info {};
  char last = '\n';
  return ::fstat(file, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
         ::pread(file, &last, 1, info.st_size - 1) == 1 && last != '\n';
}

} // namespace

metrics_writer::metrics_writer(std::string path)
    : path_(std::move(path)), file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (file_ < 0)
    open_problem_ = errno;
  else
    partial_line_ = ends_within_line(file_);
}

metrics_writer::~metrics_writer() {
  if (file_ >= 0)
    ::close(file_);
}

result<void> metrics_writer::write(const json_value& record) {
  std::string line;
  if (partial_line_)
    line += '\n';
  line += dump_json(record);
  line += '\n';
  int problem = open_problem_;
  std::string_view rest = line;
  while (problem == 0 && !rest.empty()) {
    const ssize_t written = ::write(file_, rest.data(), rest.size());
    if (written > 0)
      rest.remove_prefix(static_cast<std::size_t>(written));
    else if (written == 0 || errno != EINTR)
      problem = written == 0 ? ENOSPC : errno;
  }
  if (problem == 0) {
    partial_line_ = false;
    return {};
  }
  // Of a line that failed, the leading line end alone leaves no half line behind.
  if (rest.size() < line.size())
    partial_line_ = rest.size() + 1 < line.size() || !partial_line_;
  if (lost_++ > 0)
    return {};
  auto e = file_error(path_, "metrics cannot be written", problem);
  e.message += "; the run goes on without them";
  return e;
}

} // namespace triage
