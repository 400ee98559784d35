#pragma once

#include "core/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace triage {

/// The whole file. An error (kind io) names the path and the reason; a file larger than `most_bytes` is one.
[[nodiscard]] result<std::string> read_file(const std::string& path, std::size_t most_bytes);

/// Writes a file that does not exist yet and makes it durable. Removes what it wrote on failure.
[[nodiscard]] result<void> write_file_durable(const std::string& path, std::string_view bytes);

/// Replaces a file in one step: readers see the old or the new contents, also after a crash. A
/// symbolic link keeps pointing to the file; a pipe or device is written to instead.
[[nodiscard]] result<void> write_file_atomic(const std::string& path, std::string_view bytes);

/// Makes the finished file `temporary` durable and gives it the name `path`, replacing what is there. Removes
/// `temporary` on failure.
[[nodiscard]] result<void> replace_file(const std::string& temporary, const std::string& path);

/// Whether a file of this name can be written, as far as that is known before: to find out at the start of a
/// long run and not at its end.
[[nodiscard]] result<void> check_writable(const std::string& path);

/// An error (kind io) "PATH: what: reason", with what to do where the reason (an errno value) is a full disk,
/// a missing permission or a missing folder.
[[nodiscard]] error file_error(const std::string& path, const std::string& what, int reason);

/// Makes the entries of a directory (new names, renames) durable.
[[nodiscard]] result<void> sync_directory(const std::string& path);

} // namespace triage
