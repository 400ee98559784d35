#include "actors/run_directory.hpp"

#include "core/files.hpp"

#include <array>
#include <caf/config.hpp>
#include <cctype>
#include <ctime>
#include <filesystem>
#include <fmt/format.h>
#include <thread>
#include <unistd.h>

namespace triage {

namespace fs = std::filesystem;

namespace {

std::string utc_now(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const auto length = std::strftime(text.data(), text.size(), format, &parts);
  return {text.data(), length};
}

result<void> make_directory(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec || !fs::is_directory(path, ec))
    return io_error(fmt::format("{}: the run directory cannot be created ({}); choose another with --run-dir",
                                path, ec.message()));
  if (::access(path.c_str(), W_OK | X_OK) != 0)
    return io_error(
        fmt::format("{}: the run directory is not writable; choose another with --run-dir", path));
  return {};
}

/// False: there is no such path.
bool make_absolute(json_value* object, std::string_view key) {
  json_value* const path = object == nullptr ? nullptr : object->find(key);
  if (path == nullptr || !path->is_string() || path->as_string().empty())
    return false;
  std::error_code ec;
  if (const auto whole = fs::absolute(path->as_string(), ec); !ec)
    *path = json_value(whole.lexically_normal().string());
  return true;
}

/// Whoever resumes or evaluates the run later may stand in another folder. Files that are named beside a
/// folder lie in it.
json_value with_absolute_paths(const json_value& resolved) {
  json_value out = resolved;
  if (json_value* const data = out.find("data"); !make_absolute(data, "path"))
    for (const char* key : {"train", "test", "train_labels", "test_labels"})
      (void)make_absolute(data, key);
  for (const char* who : {"sampling.score", "sampling.guard"})
    (void)make_absolute(find_json_path(out, who), "irreducible_losses");
  return out;
}

std::string file_safe(const std::string& name) {
  std::string out;
  for (const char c : name.substr(0, 80))
    out += (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.') ? c : '_';
  return out.empty() ? "run" : out;
}

} // namespace

result<run_directory> run_directory::create(const std::string& path, const std::string& run_name) {
  std::error_code ec;
  std::string chosen = path;
  if (chosen.empty()) {
    const std::string base = fmt::format("runs/{}-{}", file_safe(run_name), utc_now("%Y%m%dT%H%M%SZ"));
    chosen = base;
    fs::create_directories("runs", ec);
    // Whoever makes it has it: another run may be started in the same second.
    for (int n = 2; !fs::create_directory(chosen, ec) && !ec; ++n)
      chosen = fmt::format("{}-{}", base, n);
  }
  run_directory out(chosen);
  if (auto free = out.check_free(); !free.ok())
    return free.error();
  if (auto made = make_directory(chosen); !made.ok())
    return made.error();
  return out;
}

void run_directory::discard() const {
  std::error_code ignored;
  for (const char* file : {"config.json", "description.json", "log.txt", "lock"})
    fs::remove(path_ + "/" + file, ignored);
  fs::remove(path_, ignored); // where it is empty
}

result<void> run_directory::check_free() const {
  std::error_code ec;
  if (!fs::exists(config_file(), ec))
    return {};
  return configuration_error(fmt::format(
      "{} already holds a run; continue it with \"triage resume {}\", or choose another --run-dir", path_,
      path_));
}

result<run_directory> run_directory::open(const std::string& path) {
  std::error_code ec;
  if (!fs::exists(path + "/config.json", ec))
    return configuration_error(fmt::format(
        "{} is not a run directory: it has no config.json; give the directory that \"triage train\" made",
        path));
  return run_directory(path);
}

result<void> run_directory::write_descriptions(const json_value& resolved,
                                               const std::vector<std::string>& arguments,
                                               const std::string& data_fingerprint) const {
  json_value description;
  json_value::array args;
  for (const auto& a : arguments)
    args.emplace_back(a);
  description.set("arguments", json_value(std::move(args)));
  description.set("started", json_value(utc_now("%Y-%m-%dT%H:%M:%SZ")));
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  description.set("host", json_value(std::string(host.data())));
  description.set("cores", json_value(std::int64_t{std::thread::hardware_concurrency()}));
  description.set("build", build_description());
  description.set("data_fingerprint", json_value(data_fingerprint));
  if (auto written = write_config(resolved); !written.ok())
    return written;
  return write_file_atomic(path_ + "/description.json", dump_json(description, 2) + "\n");
}

result<void> run_directory::write_config(const json_value& resolved) const {
  return write_file_atomic(config_file(), dump_json(with_absolute_paths(resolved), 2) + "\n");
}

json_value build_description() {
  json_value out;
  out.set("version", json_value(TRIAGE_VERSION));
  out.set("compiler", json_value("g++ " __VERSION__));
#ifdef NDEBUG
  out.set("optimised", json_value(true));
#else
  out.set("optimised", json_value(false));
#endif
  out.set("caf", json_value(fmt::format("{}.{}.{}", CAF_VERSION / 10000, CAF_VERSION / 100 % 100,
                                        CAF_VERSION % 100)));
  return out;
}

} // namespace triage
