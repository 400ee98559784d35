#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

// What must hold for the files of the repository themselves.

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Calls `use` for each file of the repository whose name ends like this; build directories are not in it.
template <class Use>
void for_each_file(const std::string& ending, const Use& use) {
  for (fs::recursive_directory_iterator at(TRIAGE_SOURCE_DIR), end; at != end; ++at) {
    const auto name = at->path().filename().string();
    if (at->is_directory() && (name == "build" || name == "runs" || name == ".git"))
      at.disable_recursion_pending();
    else if (at->is_regular_file() && name.ends_with(ending))
      use(at->path());
  }
}

} // namespace

TEST_CASE("repository: every link of the documentation leads to a file") {
  const std::regex link(R"(\]\(([^)#]+)[^)]*\))");
  int links = 0;
  for_each_file(".md", [&](const fs::path& path) {
    const std::string text = text_of(path);
    for (std::sregex_iterator at(text.begin(), text.end(), link), end; at != end; ++at) {
      const std::string target = (*at)[1].str();
      if (target.rfind("http", 0) == 0)
        continue;
      ++links;
      CHECK_MESSAGE(fs::exists(path.parent_path() / target), path.string() << " links to " << target);
    }
  });
  CHECK(links > 20);
}

TEST_CASE(
    "repository: sources are laid out as .clang-format says, where Debian 12's clang-format is installed") {
  if (std::system("clang-format --version 2>/dev/null | grep -q 'version 14'") != 0)
    return;
  std::string command = "cd " TRIAGE_SOURCE_DIR " && clang-format --dry-run -Werror";
  for (const char* ending : {".cpp", ".hpp"})
    for_each_file(ending, [&](const fs::path& path) {
      command += " '" + fs::relative(path, TRIAGE_SOURCE_DIR).string() + "'";
    });
  CHECK(std::system(command.c_str()) == 0);
}

TEST_CASE("repository: every embedding program is run by a test") {
  const std::string tests = text_of(TRIAGE_SOURCE_DIR "/tests/system/system_test.cpp");
  for (const auto& entry : fs::directory_iterator(TRIAGE_SOURCE_DIR "/examples/embedding"))
    CHECK_MESSAGE(tests.find('"' + entry.path().stem().string() + '"') != std::string::npos,
                  entry.path().string() << " is named by no test");
}
