#pragma once

#include "core/json.hpp"
#include "core/result.hpp"

#include <string>
#include <vector>

namespace triage {

/// The files of a run (DESIGN 9): config.json, description.json, metrics.jsonl, log.txt, checkpoints/,
/// best/, model/, summary.json. Only paths and the two descriptions; whoever owns a file writes it.
class run_directory {
public:
  /// A new directory. `path` empty: runs/<name>-<UTC time>[-n], made unique. An existing run is never
  /// overwritten: a path that holds one is an error.
  [[nodiscard]] static result<run_directory> create(const std::string& path, const std::string& run_name);
  /// Takes back what was written into a new one of a run that never began, so that the next may have it; what
  /// others put there stays.
  void discard() const;
  /// An error where it holds a run.
  [[nodiscard]] result<void> check_free() const;
  /// An existing one, recognised by its config.json.
  [[nodiscard]] static result<run_directory> open(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string config_file() const { return path_ + "/config.json"; }
  [[nodiscard]] std::string log_file() const { return path_ + "/log.txt"; }
  [[nodiscard]] std::string checkpoints() const { return path_ + "/checkpoints"; }
  [[nodiscard]] std::string best() const { return path_ + "/best"; }
  [[nodiscard]] std::string model_directory() const { return path_ + "/model"; }
  [[nodiscard]] std::string summary_file() const { return path_ + "/summary.json"; }

  /// config.json (the resolved description) and description.json (arguments, build, host, data fingerprint).
  [[nodiscard]] result<void> write_descriptions(const json_value& resolved,
                                                const std::vector<std::string>& arguments,
                                                const std::string& data_fingerprint) const;

  /// config.json alone: a resumed run that was changed goes on as changed.
  [[nodiscard]] result<void> write_config(const json_value& resolved) const;

private:
  explicit run_directory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// Version, compiler, build type, libraries: for `triage version` and description.json.
[[nodiscard]] json_value build_description();

} // namespace triage
