#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <string>

namespace triage {

/// When a certificate is valid, counted from now.
struct validity {
  /// From an hour ago, because the clocks of machines differ, for that many days.
  validity(int days) : not_after_offset_seconds(std::int64_t{86'400} * days) {}
  /// Any span, also one that lies in the past.
  validity(std::int64_t not_before, std::int64_t not_after)
      : not_before_offset_seconds(not_before), not_after_offset_seconds(not_after) {}

  std::int64_t not_before_offset_seconds = -3'600;
  std::int64_t not_after_offset_seconds = 0;
};

// Who may take part in a run is whoever has a certificate of the run's own authority. Nothing here keeps
// state: all functions may be called from any thread. What the user can mend is of kind configuration, what
// the file system refuses of kind io.

/// Creates a private authority in `directory`, which is made when absent: ca.pem (EC P-256, signs nodes and
/// nothing below them) and ca.key (mode 0600). An error when either is there already.
[[nodiscard]] result<void> make_authority(const std::string& directory, const validity& lifetime);

/// Whether `name` can be a node's: 1 to 64 letters, digits, dots, underscores and hyphens, but
/// neither "." nor "..": it is also the name of a folder.
[[nodiscard]] result<void> check_node_name(const std::string& name);

/// Writes what one machine needs into `output_directory`, which is made when absent: ca.pem, node.pem (valid
/// for both ends of a connection, its common name is `name`) and node.key (mode 0600). Never replaces a key:
/// an error when there is one already, and when the authority has expired or its files do not fit.
[[nodiscard]] result<void> make_node_credentials(const std::string& authority_directory,
                                                 const std::string& name, const std::string& output_directory,
                                                 const validity& lifetime);

/// Whether a node can use what make_node_credentials wrote: all files are there, the key fits and is private,
/// the certificate comes from ca.pem, and both are valid now. The error names the file and what to do.
[[nodiscard]] result<void> check_credentials(const std::string& directory);

} // namespace triage
