#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace triage {

/// A file as memory, read-only: the operating system reads what is looked at and may drop it again, so a file
/// may be larger than the memory there is, and all processes of a machine share one copy. The file must not
/// become shorter meanwhile: looking at what is gone ends the process. Any thread may read it.
class mapped_file {
public:
  /// Errors are of kind `data` and start with the path.
  [[nodiscard]] static result<std::shared_ptr<const mapped_file>> open(const std::string& path);
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file();

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }
  /// What was looked at need not stay in this process's memory, and what is looked at from here on comes at
  /// random, so many bytes at a time.
  void expect_random_access(std::size_t bytes) const;

  /// Whether an address lies in one of the files that are mapped now (of the first 64). Safe in a signal
  /// handler.
  [[nodiscard]] static bool any_holds(const void* address);

private:
  explicit mapped_file(std::span<const std::uint8_t> bytes);
  std::span<const std::uint8_t> bytes_;
};

} // namespace triage
