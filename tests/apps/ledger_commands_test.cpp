#include "command_support.hpp"

#include "core/npy.hpp"
#include "sampling/irreducible_losses.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

using namespace triage;
using namespace triage::test;

TEST_CASE("irreducible: losses of points by models that have not seen them, seeded, usable by rho") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  const auto output = folder.path("il.npy");
  const auto s = run_command({"irreducible", file, "--output", output, "--folds", "3"});
  REQUIRE_MESSAGE(s.code == 0, s.err);
  CHECK(s.out.rfind(output + ": irreducible losses of 300 points", 0) == 0);
  for (const char* fold : {"fold 1 of 3", "fold 2 of 3", "fold 3 of 3"})
    CHECK(s.err.find(fold) != std::string::npos);
  const auto array = read_npy(output);
  REQUIRE(array.ok());
  const auto& losses = std::get<std::vector<float>>(array->values);
  CHECK(losses.size() == 300);
  CHECK(std::all_of(losses.begin(), losses.end(), [](float l) { return std::isfinite(l) && l >= 0.0F; }));
  CHECK(std::count(losses.begin(), losses.end(), 0.0F) < 30); // every fold was measured
  REQUIRE(run_command({"irreducible", file, "--output", folder.path("again.npy"), "--folds", "3"}).code == 0);
  CHECK(text_of(folder.path("again.npy")) == text_of(output));
  const auto trained = run_command(
      {"train", file, "--run-dir", folder.path("rho"), "--quiet", "--set",
       R"(sampling={"type":"rho_loss","candidates":2,"score":{"type":"rho","irreducible_losses":")" + output +
           "\"}}"});
  CHECK_MESSAGE(trained.code == 0, trained.err);
  // Of other data it is refused with both numbers.
  const auto other = run_command(
      {"train", file, "--run-dir", folder.path("other"), "--quiet", "--set", "data.train_size=200", "--set",
       R"(sampling={"type":"rho_loss","score":{"type":"rho","irreducible_losses":")" + output + "\"}}"});
  CHECK(other.code == 3);
  CHECK(other.err.find("300") != std::string::npos);
  CHECK(other.err.find("200") != std::string::npos);
}

TEST_CASE("irreducible: a file that names its data is refused by data with as many other points") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  const auto output = folder.path("il.npz");
  REQUIRE(run_command({"irreducible", file, "--output", output}).code == 0);
  const auto train = [&](const char* name, const char* setting) {
    return run_command({"train", file, "--run-dir", folder.path(name), "--quiet", "--set", setting, "--set",
                        R"(sampling={"type":"auto","guard":{"irreducible_losses":")" + output + "\"}}"});
  };
  const auto fits = train("fits", "optimizer.learning_rate=0.05");
  CHECK_MESSAGE(fits.code == 0, fits.err);
  check_refused(train("other", "data.noise=3"), 3, {output, "other data", "triage irreducible"});
}

TEST_CASE("irreducible: a run that was given a file beside it is resumed and evaluated from another folder") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  REQUIRE(run_command({"irreducible", file, "--output", folder.path("il.npz")}).code == 0);
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const auto rho =
      run_command({"train", file, "--run-dir", folder.path("rho"), "--quiet", "--set",
                   R"(sampling={"type":"rho_loss","score":{"type":"rho","irreducible_losses":"il.npz"}})"});
  const auto guard = run_command({"train", file, "--run-dir", folder.path("guard"), "--quiet", "--set",
                                  R"(sampling={"type":"auto","guard":{"irreducible_losses":"./il.npz"}})"});
  std::filesystem::current_path(here);
  CHECK_MESSAGE(rho.code == 0, rho.err);
  CHECK_MESSAGE(guard.code == 0, guard.err);
  for (const char* run : {"rho", "guard"}) {
    const auto resumed = run_command({"resume", folder.path(run), "--quiet", "--set", "duration.epochs=3"});
    CHECK_MESSAGE(resumed.code == 0, resumed.err);
    CHECK(run_command({"evaluate", folder.path(run)}).code == 0);
  }
}

TEST_CASE("irreducible: a model that diverges is an error that names the fold, and no file is written") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", diverging_run(folder));
  const auto s = run_command({"irreducible", file, "--output", folder.path("il.npy")});
  CHECK(s.code == 2);
  CHECK(s.err.find("fold 0 failed") != std::string::npos);
  CHECK(!std::filesystem::exists(folder.path("il.npy")));
}

TEST_CASE("irreducible: models that take no step judge nothing, and losses below 0 are none") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  const auto s =
      run_command({"irreducible", file, "--output", folder.path("il.npy"), "--set", "duration.epochs=0"});
  CHECK(s.code == 2);
  CHECK(s.err.find("not take a single step") != std::string::npos);
  CHECK(!std::filesystem::exists(folder.path("il.npy")));
  REQUIRE(write_npy(folder.path("below.npy"), {3}, std::vector<float>{0.5F, -1.0F, 0.0F}).ok());
  const auto read = irreducible_losses::read(folder.path("below.npy"), {"run.json", "/sampling/score"});
  REQUIRE(!read.ok());
  CHECK(read.error().message.find("the loss of point 1 is negative") != std::string::npos);
}

TEST_CASE("ledger: three files where they are asked for, with one line for each point; the visits add up") {
  const auto& run = trained_run::small();
  const scratch_folder folder;
  const auto s =
      run_command({"ledger", run.directory(), "--output-dir", folder.path("out/deep"), "--top", "5"});
  REQUIRE_MESSAGE(s.code == 0, s.err);
  CHECK(s.out.rfind("300 points, trained ", 0) == 0);
  for (const char* name : {"ledger.csv", "suspects.csv", "ledger.html"})
    CHECK(s.out.find(folder.path("out/deep/") + name) != std::string::npos);
  const auto csv = text_of(folder.path("out/deep/ledger.csv"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 301);
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  double visits = 0.0;
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::string cell;
    for (int i = 0; i < 4; ++i)
      std::getline(cells, cell, ',');
    visits += std::stod(cell);
  }
  const auto summary = json_of(text_of(run.directory() + "/summary.json"));
  CHECK(visits == summary.find("samples_trained")->as_number());
}

TEST_CASE("ledger: a run without one says how to have one") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  REQUIRE(
      run_command({"train", file, "--run-dir", folder.path("r"), "--quiet", "--set", "runtime.ledger=false"})
          .code == 0);
  check_refused(run_command({"ledger", folder.path("r")}), 2, {folder.path("r"), "\"ledger\": true"});
}

TEST_CASE(
    "ledger: of other data than the run was trained on it is refused, also where it has as many points") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  REQUIRE(run_command({"train", file, "--run-dir", folder.path("r"), "--quiet"}).code == 0);
  check_refused(run_command({"ledger", folder.path("r"), "--set", "data.noise=3"}), 3, {"fingerprint"});
}

TEST_CASE("irreducible: what cannot be written, and parts without points, are refused before any training") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  check_refused(run_command({"irreducible", file, "--output", folder.path("no/il.npz")}), 1,
                {folder.path("no/il.npz")});
  check_refused(run_command({"irreducible", file, "--output", folder.path("il.txt")}), 2, {".npz or .npy"});
  check_refused(run_command({"irreducible", file, "--output", folder.path("il.npz"), "--folds", "7", "--set",
                             "data.train_size=5", "--set", "batch_size=2"}),
                2, {"--folds 7", "5 points"});
}

TEST_CASE("ledger: a number of suspects below 0 is refused") {
  const auto& run = trained_run::small();
  const scratch_folder folder;
  check_refused(run_command({"ledger", run.directory(), "--output-dir", folder.path("l"), "--top", "-1"}), 2,
                {"--top"});
  CHECK(!std::filesystem::exists(folder.path("l")));
}
