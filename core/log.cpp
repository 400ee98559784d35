#include "core/log.hpp"

#include <cstdlib>
#include <spdlog/logger.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>
#include <vector>

namespace triage {

namespace {
constexpr const char* line_format = "[%Y-%m-%d %H:%M:%S.%e] [%^%l%$] %v";
}

struct logger::state {
  explicit state(std::vector<spdlog::sink_ptr> sinks) : log("triage", sinks.begin(), sinks.end()) {
    log.set_pattern(line_format);
    log.flush_on(spdlog::level::info);
    // A sink that fails (full disk) must not write to stderr for every line, nor throw.
    log.set_error_handler([](const std::string&) {});
  }
  void write(spdlog::level::level_enum level, std::string_view source, std::string_view text) {
    log.log(level, "[{}] {}", source, text);
  }
  spdlog::logger log;
};

logger::logger(std::unique_ptr<state> s) : state_(std::move(s)) {}
logger::~logger() = default;
logger::logger(logger&&) noexcept = default;
logger& logger::operator=(logger&&) noexcept = default;

logger logger::silent() {
  return logger(std::make_unique<state>(std::vector<spdlog::sink_ptr>{}));
}

logger logger::to_stderr_and_file(const std::string& file, bool quiet) {
  std::vector<spdlog::sink_ptr> sinks;
  if (::isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr)
    sinks.push_back(std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>());
  else
    sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  if (quiet)
    sinks.front()->set_level(spdlog::level::warn);
  std::string problem;
  if (!file.empty()) {
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file));
    } catch (const spdlog::spdlog_ex& e) {
      problem = e.what();
    }
  }
  logger log(std::make_unique<state>(std::move(sinks)));
  if (!problem.empty())
    log.warn("log", problem);
  return log;
}

void logger::info(std::string_view source, std::string_view text) {
  state_->write(spdlog::level::info, source, text);
}
void logger::warn(std::string_view source, std::string_view text) {
  state_->write(spdlog::level::warn, source, text);
}
void logger::error(std::string_view source, std::string_view text) {
  state_->write(spdlog::level::err, source, text);
}

} // namespace triage
