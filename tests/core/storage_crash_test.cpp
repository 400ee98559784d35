#include "core/checkpoint.hpp"
#include "tests/core/storage_support.hpp"

#include <doctest/doctest.h>
#include <set>

// Whatever stops the writing of a checkpoint, and whenever: a healthy one is left, and the next write tidies
// up.

using namespace triage;
using namespace triage::test;
namespace fs = std::filesystem;

namespace {

checkpoint_content content_of(std::int64_t step, float value) {
  checkpoint_content c;
  c.step = step;
  c.model = {{"w", {2}, {value, 0}}};
  c.state.put("s", std::vector<float>(100, value));
  return c;
}

std::set<std::string> everything_in(const std::string& directory) {
  std::set<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    out.insert(entry.path().string().substr(directory.size()) +
               (entry.is_regular_file() ? ": " + slurp(entry.path().string()) : ""));
  return out;
}

/// The step and value of the newest healthy checkpoint; -1 where there is none.
std::pair<std::int64_t, float> newest(const std::string& directory) {
  const auto loaded = read_latest_checkpoint(directory);
  return loaded.ok() ? std::pair(loaded->content.step, loaded->content.model[0].values[0])
                     : std::pair(-1L, 0.F);
}

/// A situation before the write that is disturbed.
struct scene {
  const char* name;
  std::int64_t first_step; ///< of the checkpoint, of value 1, that is there
  std::int64_t keep;
};
constexpr scene scenes[] = {
    {"a later step, keep one", 1, 1}, {"the same step, keep one", 2, 1}, {"the same step", 2, 3}};

/// Operations of an undisturbed write.
int count_operations() {
  const temp_folder folder;
  int count = 0;
  const auto written = write_checkpoint(folder.path(), content_of(1, 1), 1, [&](const char*) {
    ++count;
    return true;
  });
  REQUIRE(written.ok());
  return count;
}

} // namespace

TEST_CASE("crash: at every operation a healthy checkpoint is left, and the next write tidies up") {
  const memory_temporaries in_memory;
  const int operations = count_operations();
  REQUIRE(operations >= 10);
  for (const auto& scene : scenes)
    for (int k = 0; k < operations; ++k) {
      const temp_folder folder;
      REQUIRE(write_checkpoint(folder.path(), content_of(scene.first_step, 1), scene.keep).ok());
      int at = 0;
      std::string stopped_before;
      const auto crashed =
          write_checkpoint(folder.path(), content_of(2, 2), scene.keep, [&](const char* operation) {
            stopped_before = operation;
            return at++ < k;
          });
      INFO(scene.name, ", crash before ", stopped_before);
      CHECK(!crashed.ok());
      const auto left = newest(folder.path());
      CHECK((left == std::pair(scene.first_step, 1.F) || left == std::pair(std::int64_t{2}, 2.F)));

      const auto path = write_checkpoint(folder.path(), content_of(2, 3), scene.keep);
      REQUIRE(path.ok());
      CHECK(newest(folder.path()) == std::pair(std::int64_t{2}, 3.F));
      CHECK(fs::equivalent(folder.path("latest"), *path));
      for (const auto& entry : fs::directory_iterator(folder.path()))
        CHECK_MESSAGE((entry.path().filename() == "latest" || entry.path().filename().string().size() == 17),
                      entry.path().string());
    }
}

TEST_CASE("crash: twice in a row while the same step is replaced") {
  const memory_temporaries in_memory;
  const int operations = count_operations();
  for (int first = 0; first < operations; ++first)
    for (int second = 0; second < operations; ++second) {
      const temp_folder folder;
      REQUIRE(write_checkpoint(folder.path(), content_of(2, 1), 1).ok());
      for (const int k : {first, second}) {
        int at = 0;
        CHECK(!write_checkpoint(folder.path(), content_of(2, 2), 1, [&](const char*) {
                 return at++ < k;
               }).ok());
      }
      INFO("crashes before operations ", first, " and ", second);
      CHECK(newest(folder.path()).first == 2);
    }
}

TEST_CASE("crash: a damaged checkpoint does not replace the healthy one that was set aside for it") {
  const temp_folder folder;
  REQUIRE(write_checkpoint(folder.path(), content_of(2, 1), 1).ok());
  CHECK(!write_checkpoint(folder.path(), content_of(2, 2), 1, [](const char* operation) {
           return std::string_view(operation) != "remove what was set aside";
         }).ok());
  CHECK(newest(folder.path()) == std::pair(std::int64_t{2}, 2.F)); // of two healthy ones, the new one
  fs::remove(folder.path("step-000000000002/DONE"));               // of the new one
  CHECK(newest(folder.path()) == std::pair(std::int64_t{2}, 1.F));
  CHECK(!write_checkpoint(folder.path(), content_of(2, 3), 1, [](const char* operation) {
           return std::string_view(operation) != "publish";
         }).ok());
  CHECK(newest(folder.path()) == std::pair(std::int64_t{2}, 1.F));
}

TEST_CASE(
    "failure: from every operation on nothing can be opened; the error is clean and a healthy one is left") {
  const memory_temporaries in_memory;
  const int operations = count_operations();
  for (const auto& scene : scenes)
    for (int k = 0; k < operations; ++k) {
      const temp_folder folder;
      REQUIRE(write_checkpoint(folder.path(), content_of(scene.first_step, 1), scene.keep).ok());
      INFO(scene.name, ", failure from operation ", k);
      CHECK(in_child([&] {
        int at = 0;
        const auto written = write_checkpoint(folder.path(), content_of(2, 2), scene.keep, [&](const char*) {
          if (at++ == k)
            forbid_opening();
          return true;
        });
        return written.ok() ||
               (written.error().kind == error_kind::io && contains(written.error().message, folder.path()));
      }));
      const auto left = newest(folder.path());
      CHECK((left == std::pair(scene.first_step, 1.F) || left == std::pair(std::int64_t{2}, 2.F)));
    }
}

TEST_CASE("crash: what a removal or a link left half done is tidied up, and no other file is touched") {
  const temp_folder folder;
  folder.write(".removing-step-000000000001/model.safetensors", "rest");
  folder.write(".writing-step-000000000003/model.safetensors", "half");
  folder.write("notes.txt", "mine");
  fs::create_symlink("step-000000000003", folder.path(".latest.tmp"));
  fs::create_symlink("step-000000000003", folder.path("latest")); // dangling
  const auto path = write_checkpoint(folder.path(), content_of(2, 1), 1);
  REQUIRE(path.ok());
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path()))
    names.insert(entry.path().filename().string());
  CHECK(names == std::set<std::string>{"latest", "notes.txt", "step-000000000002"});
  CHECK(fs::equivalent(folder.path("latest"), *path));
}

TEST_CASE("failure: the hidden directory vanishes before any operation") {
  const memory_temporaries in_memory;
  const int operations = count_operations();
  for (int k = 1; k < operations; ++k) {
    const temp_folder folder;
    REQUIRE(write_checkpoint(folder.path(), content_of(2, 1), 1).ok());
    int at = 0;
    bool vanished = false;
    const auto written = write_checkpoint(folder.path(), content_of(2, 2), 1, [&](const char*) {
      if (at++ == k)
        vanished = fs::remove_all(folder.path(".writing-step-000000000002")) > 0;
      return true;
    });
    CAPTURE(k);
    CHECK(written.ok() == !vanished);
    CHECK(newest(folder.path()) == std::pair(std::int64_t{2}, vanished ? 1.F : 2.F));
    CHECK(list_checkpoints(folder.path()) == std::vector{folder.path("step-000000000002")}); // it is back
  }
}

TEST_CASE("failure: a full disk at any size leaves everything as it was and says what to do") {
  const temp_folder folder;
  REQUIRE(write_checkpoint(folder.path(), content_of(1, 1), 1).ok());
  const auto before = everything_in(folder.path());
  const auto manifest = fs::file_size(folder.path("step-000000000001/manifest.json"));
  const auto model = fs::file_size(folder.path("step-000000000001/model.safetensors"));
  for (const auto bytes : {std::uintmax_t{0}, std::uintmax_t{1}, model - 1, model, manifest - 1}) {
    CAPTURE(bytes);
    CHECK(in_child([&] {
      limit_file_size(bytes);
      const auto written = write_checkpoint(folder.path(), content_of(2, 2), 1);
      return !written.ok() && written.error().kind == error_kind::io &&
             contains(written.error().message, "free some space") &&
             contains(written.error().message, "checkpoint of step 2");
    }));
    CHECK(everything_in(folder.path()) == before);
  }
}

TEST_CASE("failure: a directory that cannot be made is named") {
  const temp_folder folder;
  const auto path = impossible_path(folder);
  const auto written = write_checkpoint(path, content_of(1, 1), 1);
  REQUIRE(!written.ok());
  CHECK(written.error().kind == error_kind::io);
  CHECK(contains(written.error().message, path));
}
