#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace {

/// What each folder must not include (docs/architecture.md).
const std::map<std::string, std::vector<std::string>> forbidden = {
    {"core", {"nn/", "sampling/", "actors/", "apps/", "caf/", "boost/", "oneapi/"}},
    {"nn", {"sampling/", "actors/", "apps/", "caf/", "boost/", "nlohmann/"}},
    {"sampling", {"nn/", "actors/", "apps/", "caf/", "boost/", "oneapi/", "nlohmann/"}},
    {"actors", {"apps/", "nlohmann/", "oneapi/"}},
    {"apps", {"nlohmann/", "oneapi/", "spdlog/"}},
};

std::string included(const std::string& line) {
  if (line.rfind("#include ", 0) != 0)
    return {};
  return line.substr(10, line.find_first_of("\">", 10) - 10);
}

} // namespace

TEST_CASE("layers: no folder includes what is above or beside it, and no file is longer than 400 lines") {
  int files = 0;
  for (const auto& [folder, never] : forbidden)
    for (const auto& entry : std::filesystem::recursive_directory_iterator(TRIAGE_SOURCE_DIR "/" + folder)) {
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp")
        continue;
      ++files;
      std::ifstream in(entry.path());
      std::string line;
      int lines = 0;
      while (std::getline(in, line)) {
        ++lines;
        const auto name = included(line);
        for (const auto& prefix : never)
          CHECK_MESSAGE(name.rfind(prefix, 0) != 0, entry.path().string() << " includes " << name);
      }
      CHECK_MESSAGE(lines <= 400, entry.path().string() << " has " << lines << " lines");
    }
  CHECK(files > 100);
}

TEST_CASE("layers: headers of core name no third-party library") {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(TRIAGE_SOURCE_DIR "/core")) {
    if (entry.path().extension() != ".hpp")
      continue;
    std::ifstream in(entry.path());
    std::string line;
    while (std::getline(in, line)) {
      const auto name = included(line);
      for (const char* library : {"nlohmann/", "fmt/", "spdlog/", "zip.h", "zlib.h", "openssl/"})
        CHECK_MESSAGE(name.rfind(library, 0) != 0, entry.path().string() << " includes " << name);
    }
  }
}
