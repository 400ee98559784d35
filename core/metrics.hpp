#pragma once

#include "core/json.hpp"
#include "core/result.hpp"

#include <cstdint>
#include <string>

namespace triage {

/// Appends JSON objects to a file, one a line, each written at once. A full disk costs lines, nothing else:
/// the first failure is returned as an error, later ones are only counted. Nothing is thrown. A line that a
/// crash left unfinished is ended first, so that what follows stays readable. Owned by one thread.
class metrics_writer {
public:
  explicit metrics_writer(std::string path);
  ~metrics_writer();
  metrics_writer(const metrics_writer&) = delete;
  metrics_writer& operator=(const metrics_writer&) = delete;

  [[nodiscard]] result<void> write(const json_value& record);
  /// Lines that could not be written.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

private:
  std::string path_;
  int file_ = -1;
  int open_problem_ = 0;      ///< errno of the open
  bool partial_line_ = false; ///< the file ends within a line
  std::uint64_t lost_ = 0;
};

} // namespace triage
