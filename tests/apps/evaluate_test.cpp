#include "command_support.hpp"

#include <fmt/format.h>

// `triage evaluate` on other data than the run's: measured as it is meant, or refused.

using namespace triage;
using namespace triage::test;

namespace {

/// Rows of two features, which tell the first class from the second, under this header.
std::string table(const std::string& header, const std::string& first, const std::string& second,
                  bool turned = false) {
  std::string out = header;
  for (int i = 0; i < 60; ++i) {
    const double size = i % 2 == 0 ? 2.0 : 0.0;
    const double weight = 0.01 * i;
    out += fmt::format("{},{},{}\n", turned ? weight : size, turned ? size : weight,
                       i % 2 == 0 ? first : second);
  }
  return out;
}

struct named_run {
  scratch_folder folder;
  std::string directory = folder.path("run");
  explicit named_run(const std::string& rows) {
    const auto file = folder.file("run.json", R"({"data": {"format": "csv", "path": ")" +
                                                  folder.file("data.csv", rows) + R"("},
      "model": [{"type": "dense", "units": 2}], "optimizer": {"type": "sgd", "learning_rate": 0.1},
      "batch_size": 8, "duration": {"epochs": 2}})");
    const auto trained = run_command({"train", file, "--run-dir", directory, "--quiet"});
    REQUIRE_MESSAGE(trained.code == 0, trained.err);
  }
  /// A folder with the rows as training and as test set.
  [[nodiscard]] std::string other(const std::string& name, const std::string& rows) const {
    std::filesystem::create_directories(folder.path(name));
    folder.file(name + "/train.csv", rows);
    folder.file(name + "/test.csv", rows);
    return folder.path(name);
  }
  [[nodiscard]] said evaluate(const std::string& change) const {
    return run_command({"evaluate", directory, "--set", change});
  }
};

} // namespace

TEST_CASE("evaluate: other data must call columns and classes as the training data does") {
  const named_run run(table("size,weight,kind\n", "big", "small"));
  const auto path = [&](const char* name, const std::string& rows) {
    return run.evaluate("data.path=" + run.other(name, rows));
  };
  CHECK(path("same", table("size,weight,kind\n", "big", "small")).code == 0);
  CHECK(path("nameless", table("", "big", "small")).code == 0);
  check_refused(path("turned", table("weight,size,kind\n", "big", "small", true)), 3,
                {"feature 0 is \"weight\", and in training \"size\"", "data.test=FILE"});
  check_refused(path("classes", table("size,weight,kind\n", "large", "small")), 3,
                {"class 0 is \"large\", and in training \"big\""});
  check_refused(path("numbers", table("size,weight,kind\n", "0", "1")), 3, {"class 0 is \"0\""});
}

TEST_CASE("evaluate: labels that are numbers are compared as such") {
  const named_run run(table("size,weight,kind\n", "1", "2"));
  CHECK(run.evaluate("data.path=" + run.other("same", table("size,weight,kind\n", "1", "2"))).code == 0);
  check_refused(run.evaluate("data.path=" + run.other("shifted", table("size,weight,kind\n", "0", "1"))), 3,
                {"class 0 is \"0\", and in training \"1\""});
}

TEST_CASE("evaluate: no part of other training data is held out as a test set, however it is named") {
  const auto rows = table("size,weight,kind\n", "big", "small");
  const named_run run(rows);
  const auto file = run.folder.file("labelled.csv", rows);
  for (const std::string& change :
       {"data.path=" + file, "data.train=" + file,
        R"(data={"format": "csv", "path": ")" + file + R"(", "test_fraction": 0.5})"})
    check_refused(run.evaluate(change), 3, {"no test set of its own", "data.test=FILE"});
  CHECK(run.evaluate("data.test=" + file).code == 0);
}
