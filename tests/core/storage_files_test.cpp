#include "core/files.hpp"
#include "tests/core/storage_support.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace triage;
using namespace triage::test;
namespace fs = std::filesystem;

namespace {

std::size_t files_in(const std::string& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

} // namespace

TEST_CASE("files: what is written is read, whatever the bytes, and replaced as a whole") {
  const temp_folder folder;
  const auto path = folder.path("x");
  for (const auto& bytes : {std::string("a\0b\n\xff", 5), std::string(), std::string(100'000, 'z')}) {
    REQUIRE(write_file_atomic(path, bytes).ok());
    CHECK(read_file(path, 100'000).value() == bytes);
    CHECK(files_in(folder.path()) == 1); // no temporary file stays
  }
}

TEST_CASE("files: reading names what is wrong") {
  const temp_folder folder;
  const auto path = folder.write("x", "12345");
  CHECK(read_file(path, 5).ok());
  const auto too_large = read_file(path, 4);
  REQUIRE(!too_large.ok());
  CHECK(too_large.error().kind == error_kind::io);
  CHECK(contains(too_large.error().message, path));
  CHECK(contains(read_file(folder.path("none"), 9).error().message, "No such file"));
  CHECK(contains(read_file(folder.path(), 9).error().message, "a directory, not a file"));
  CHECK(contains(read_file("/dev/zero", 9).error().message, "not a file"));
  REQUIRE(mkfifo(folder.path("pipe").c_str(), 0600) == 0);
  CHECK(contains(read_file(folder.path("pipe"), 9).error().message, "not a file")); // does not hang
}

TEST_CASE("files: a leftover of a crashed writer does no harm, and a link stays a link") {
  const temp_folder folder;
  const auto path = folder.write("x", "old");
  folder.write("x.tmp", "half");
  fs::create_symlink("x", folder.path("link"));
  REQUIRE(write_file_atomic(folder.path("link"), "new").ok());
  CHECK(slurp(path) == "new");
  CHECK(fs::is_symlink(folder.path("link")));
  CHECK(!fs::exists(folder.path("x.tmp")));
}

TEST_CASE("files: a durable file must be new, and a foreign one is left alone") {
  const temp_folder folder;
  const auto path = folder.write("x", "old");
  CHECK(!write_file_durable(path, "new").ok());
  CHECK(slurp(path) == "old");
}

TEST_CASE("files: a full disk leaves the old contents and says what to do") {
  const temp_folder folder;
  const auto path = folder.write("x", "old");
  CHECK(in_child([&] {
    limit_file_size(10);
    const auto written = write_file_atomic(path, std::string(11, 'n'));
    return !written.ok() && written.error().kind == error_kind::io &&
           contains(written.error().message, "free some space") && contains(written.error().message, path);
  }));
  CHECK(slurp(path) == "old");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("files: devices are written to, never replaced") {
  CHECK(write_file_atomic("/dev/null", "x").ok());
  const auto written = write_file_atomic("/dev/full", "x");
  REQUIRE(!written.ok());
  CHECK(contains(written.error().message, "free some space"));
  CHECK(fs::is_character_file("/dev/full"));
}

TEST_CASE("files: an impossible place is an error that names it") {
  const temp_folder folder;
  const auto path = impossible_path(folder);
  const auto written = write_file_atomic(path, "x");
  REQUIRE(!written.ok());
  CHECK(contains(written.error().message, path));
  CHECK(contains(written.error().message, "check that its folder exists"));
  CHECK(!sync_directory(path).ok());
  CHECK(contains(file_error("p", "w", EACCES).message, "can be written"));

  const auto file = folder.write("finished", "x");
  CHECK(!replace_file(file, path).ok());
  CHECK(!fs::exists(file));
}
