#include "core/formats/files.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <system_error>

namespace triage {

namespace fs = std::filesystem;

namespace {

bool is_folder(const std::string& path) {
  std::error_code ec;
  return fs::is_directory(path, ec);
}

} // namespace

std::string find_in_folder(const std::string& folder, std::span<const std::string> names) {
  for (const auto& name : names)
    for (const char* ending : {"", ".gz"}) {
      std::error_code ec;
      auto candidate = (fs::path(folder) / (name + ending)).string();
      if (fs::exists(candidate, ec))
        return candidate;
    }
  return {};
}

std::string resolve_path(const data_source& source, const std::string& file) {
  if (file.empty() || fs::path(file).is_absolute() || !is_folder(source.path))
    return file;
  return (fs::path(source.path) / file).string();
}

result<void> require_folder(const std::string& path, std::string_view wanted) {
  if (path.empty())
    return configuration_error(fmt::format(
        "the data have no source: give \"path\" (a folder with {}) or explicit \"train\" and \"test\" files",
        wanted));
  std::error_code ec;
  if (!fs::exists(path, ec))
    return data_error(fmt::format("{}: no such folder; expected one with {}", path, wanted));
  if (!is_folder(path))
    return data_error(fmt::format(
        "{}: is not a folder; expected one with {}. A single file is named by \"train\"", path, wanted));
  return {};
}

result<file_pair> find_file_pair(const data_source& source, std::span<const std::string_view> extensions) {
  const std::string test = resolve_path(source, source.test);
  if (!source.train.empty())
    return file_pair{resolve_path(source, source.train), test};
  if (!source.path.empty() && !is_folder(source.path))
    return file_pair{source.path, test};

  std::vector<std::string> train_names;
  std::vector<std::string> test_names;
  for (const auto extension : extensions) {
    train_names.push_back(fmt::format("train.{}", extension));
    test_names.push_back(fmt::format("test.{}", extension));
  }
  const auto wanted = join_names(train_names, " or ");
  if (auto folder = require_folder(source.path, wanted); !folder.ok())
    return folder.error();
  const auto train = find_in_folder(source.path, train_names);
  if (train.empty())
    return data_error(
        fmt::format("{}: contains no {} (plain or .gz); name the file with \"train\"", source.path, wanted));
  return file_pair{train, test.empty() ? find_in_folder(source.path, test_names) : test};
}

} // namespace triage
