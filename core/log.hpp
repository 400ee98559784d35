#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace triage {

/// Log lines for people: "[2026-11-23 10:15:02.123] [info] [worker-3] message". Thread safe. A log file that
/// cannot be written costs its lines, never the run. No global state: whoever logs is given a logger.
class logger {
public:
  /// Writes nowhere.
  [[nodiscard]] static logger silent();
  /// To stderr (in colour on a terminal, unless NO_COLOR is set) and appended to `file` (none when empty).
  /// `quiet`: only warnings and errors go to stderr; the file gets everything.
  [[nodiscard]] static logger to_stderr_and_file(const std::string& file, bool quiet = false);
  ~logger();
  logger(logger&&) noexcept;
  logger& operator=(logger&&) noexcept;

  void info(std::string_view source, std::string_view text);
  void warn(std::string_view source, std::string_view text);
  void error(std::string_view source, std::string_view text);

private:
  struct state;
  explicit logger(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

} // namespace triage
