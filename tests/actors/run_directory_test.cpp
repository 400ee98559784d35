#include "actors/run_directory.hpp"

#include "run_support.hpp"

#include <algorithm>
#include <fstream>
#include <latch>
#include <set>
#include <thread>

using namespace triage;
using namespace triage::test;

TEST_CASE("run directory: a new one has a name that is a file's, and two of the same second differ") {
  const temporary_folder folder;
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const auto first = run_directory::create("", "a/b c\n..");
  const auto second = run_directory::create("", "a/b c\n..");
  const auto nameless = run_directory::create("", "");
  const auto endless = run_directory::create("", std::string(5000, 'n'));
  std::filesystem::current_path(here);
  for (const auto* d : {&first, &second, &nameless, &endless})
    REQUIRE_MESSAGE(d->ok(), (d->ok() ? "" : d->error().message));
  CHECK((*first).path().starts_with("runs/a_b_c_..-"));
  CHECK((*nameless).path().starts_with("runs/run-"));
  CHECK((*endless).path().size() < 120);
  // Without a config.json the second may be the same folder only if nobody has used the first.
  CHECK(std::filesystem::is_directory(folder.path((*first).path())));
  CHECK((*first).path() != (*second).path());
}

TEST_CASE("run directory: those that are made at the same moment differ, too") {
  const temporary_folder folder;
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  constexpr std::size_t runs = 8;
  std::vector<std::string> made(runs);
  {
    std::latch together(runs);
    std::vector<std::jthread> all;
    for (auto& path : made)
      all.emplace_back([&] {
        together.arrive_and_wait();
        if (const auto d = run_directory::create("", "x"); d.ok())
          path = d->path();
      });
  }
  std::filesystem::current_path(here);
  CHECK(std::ranges::find(made, "") == made.end());
  CHECK(std::set(made.begin(), made.end()).size() == runs);
}

TEST_CASE(
    "run directory: one that holds a run is never written over, and one that holds none cannot be opened") {
  const temporary_folder folder;
  const auto created = run_directory::create(folder.path("mine"), "x");
  REQUIRE(created.ok());
  CHECK_FALSE(run_directory::open(folder.path("mine")).ok());
  REQUIRE(
      created->write_descriptions(json_value(json_value::object{{"name", "x"}}), {"triage", "train"}, "abc")
          .ok());
  CHECK(run_directory::open(folder.path("mine")).ok());
  const auto again = run_directory::create(folder.path("mine"), "x");
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().kind == error_kind::configuration);
  CHECK(again.error().message.find("already holds a run; continue it with \"triage resume " +
                                   folder.path("mine")) != std::string::npos);
  const auto none = run_directory::open(folder.path("none"));
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().message.find("config.json") != std::string::npos);
  const auto description = read_json_file(folder.path("mine/description.json"));
  REQUIRE(description.ok());
  CHECK(description->find("arguments")->as_array().size() == 2);
  CHECK(description->find("data_fingerprint")->as_string() == "abc");
  for (const char* key : {"started", "host", "cores", "build"})
    CHECK(description->find(key) != nullptr);
}

TEST_CASE("run directory: a place where none can be made is named, with the option that chooses another") {
  const temporary_folder folder;
  std::ofstream(folder.path("file")) << "x";
  for (const auto& path : {folder.path("file/run"), folder.path("file")}) {
    const auto made = run_directory::create(path, "x");
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().kind == error_kind::io);
    CHECK(made.error().message.find(path) == 0);
    CHECK(made.error().message.find("--run-dir") != std::string::npos);
  }
}

TEST_CASE("run directory: the description that it keeps names its data from wherever it is read") {
  const temporary_folder folder;
  auto made = run_directory::create(folder.path("run"), "r");
  REQUIRE(made.ok());
  const auto kept = [&](const std::string& data) {
    const auto resolved = parse_json("{\"data\": " + data + ", \"seed\": 3}", "test");
    REQUIRE(made->write_config(*resolved).ok());
    const auto config = read_json_file(made->config_file());
    REQUIRE(config.ok());
    CHECK(config->find("seed")->as_number() == 3);
    return *config->find("data");
  };
  const auto here = std::filesystem::current_path().string();
  const auto beside = kept(R"({"format": "idx", "path": "data/../fashion", "train": "train-images"})");
  CHECK(beside.find("path")->as_string() == here + "/fashion");
  CHECK(beside.find("train")->as_string() == "train-images"); // a file in that folder
  const auto alone = kept(R"({"format": "csv", "path": "", "train": "a.csv", "test": "/b.csv"})");
  CHECK(alone.find("train")->as_string() == here + "/a.csv");
  CHECK(alone.find("test")->as_string() == "/b.csv");
  CHECK(kept(R"({"format": "synthetic"})").find("format")->as_string() == "synthetic");
}

TEST_CASE("run directory: so it does files of irreducible losses, and leaves what names no file") {
  const temporary_folder folder;
  auto made = run_directory::create(folder.path("run"), "r");
  REQUIRE(made.ok());
  const auto kept = [&](const std::string& sampling) {
    REQUIRE(made->write_config(*parse_json("{\"sampling\": " + sampling + "}", "test")).ok());
    return dump_json(*read_json_file(made->config_file())->find("sampling"));
  };
  const auto here = std::filesystem::current_path().string();
  CHECK(
      kept(
          R"({"score":{"type":"rho","irreducible_losses":"x/../il.npz"},"guard":{"irreducible_losses":"il"}})") ==
      R"({"score":{"type":"rho","irreducible_losses":")" + here +
          R"(/il.npz"},"guard":{"irreducible_losses":")" + here + R"(/il"}})");
  for (const std::string other : {R"("auto")", R"({"score":"loss","guard":{"irreducible_losses":""}})",
                                  R"({"score":{"type":"rho","irreducible_losses":"/il.npy"}})"})
    CHECK(kept(other) == other);
}
