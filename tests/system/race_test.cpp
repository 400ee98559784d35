#include "process.hpp"

#include "../actors/run_support.hpp"
#include "core/files.hpp"

#include <chrono>
#include <fstream>
#include <thread>

using namespace triage;
using namespace triage::test;

namespace {

const char* const example = TRIAGE_SOURCE_DIR "/examples/race_small.json";

struct race_folder {
  temporary_folder folder;
  std::string directory = folder.path("race");
  std::string log = folder.path("output.txt");

  [[nodiscard]] std::vector<std::string> arguments(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"race", example, "--dir", directory};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  finished_process race(const std::vector<std::string>& more = {}) const {
    return run_triage(arguments(more), log);
  }
  [[nodiscard]] std::string summary(const std::string& run) const {
    return directory + "/runs/" + run + "/summary.json";
  }
  [[nodiscard]] json_value report() const {
    auto read = read_json_file(directory + "/race.json");
    REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().message));
    return read.take();
  }
};

const json_value& element(const json_value& parent, const char* list, std::size_t index) {
  return parent.find(list)->as_array().at(index);
}

/// Ends the race with a signal once the run is done; returns its exit code.
int signal_after(const race_folder& f, const std::string& run, int number) {
  process p(f.arguments(), f.log);
  while (!std::filesystem::exists(f.summary(run)) && p.running())
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  p.signal(number);
  return p.wait();
}

} // namespace

TEST_CASE("race: the example is tuned, raced and reported, and not trained again") {
  const race_folder f;
  const auto first = f.race();
  REQUIRE_MESSAGE(first.exit_code == 0, first.output);
  CHECK_MESSAGE(first.output.find("13/13 pps seed 5") != std::string::npos, first.output);
  CHECK_MESSAGE(first.output.find("train loss") != std::string::npos, first.output);
  const auto report = f.report();
  CHECK(report.find("failed_runs")->as_integer() == 0);
  REQUIRE(report.find("arms")->as_array().size() == 2);
  REQUIRE(report.find("targets")->as_array().size() == 3);
  CHECK(element(report, "targets", 2).find("value")->as_number() == 0.5);
  const auto& tuning = element(*report.find("tuning"), "arms", 0);
  CHECK(tuning.find("points")->as_array().size() == 3);
  const auto& taken_over = *element(report, "arms", 1).find("grid_point");
  CHECK(tuning.find("chosen")->as_string() ==
        "learning_rate=" + dump_json(*taken_over.find("optimizer.learning_rate")));
  for (std::size_t arm = 0; arm < 2; ++arm)
    for (std::size_t seed = 0; seed < 5; ++seed) {
      const auto& run = element(element(report, "arms", arm), "runs", seed);
      CHECK(run.find("curve")->as_array().size() == 24); // six epochs, every quarter
      const auto& last = run.find("curve")->as_array().back();
      CHECK(last.find("compute_seconds")->as_number() > 0.0);
    }
  CHECK(element(element(report, "targets", 0), "arms", 0).find("reached")->as_integer() >= 3);
  const auto page = file_text(f.directory + "/race.html");
  CHECK(page.find("</html>") != std::string::npos);
  CHECK(file_text(f.directory + "/race.csv").find("train_loss,") != std::string::npos);

  const auto written = std::filesystem::last_write_time(f.summary("pps/seed-5"));
  const auto second = f.race();
  CHECK(second.exit_code == 0);
  CHECK_MESSAGE(second.output.find("10 of 10 runs were done already") != std::string::npos, second.output);
  CHECK(second.output.find("13/13") == std::string::npos);
  CHECK(std::filesystem::last_write_time(f.summary("pps/seed-5")) == written);
  CHECK(dump_json(*f.report().find("targets")) == dump_json(*report.find("targets")));

  const auto changed = f.race({"--set", "arms.1.set.batch_size=64"});
  CHECK(changed.exit_code == 0);
  CHECK_MESSAGE(changed.output.find("5 of 10 runs were done already") != std::string::npos, changed.output);
}

TEST_CASE("race: killed, interrupted and terminated races go on where they were") {
  const race_folder f;
  CHECK(signal_after(f, "uniform/seed-1", SIGKILL) == 128 + SIGKILL);
  CHECK(!std::filesystem::exists(f.directory + "/race.json"));
  const auto written = std::filesystem::last_write_time(f.summary("uniform/seed-1"));
  CHECK(signal_after(f, "uniform/seed-3", SIGINT) == 128 + SIGINT);
  CHECK(signal_after(f, "uniform/seed-4", SIGTERM) == 128 + SIGTERM);
  const auto resumed = f.race();
  REQUIRE_MESSAGE(resumed.exit_code == 0, resumed.output);
  CHECK_MESSAGE(resumed.output.find("were done already") != std::string::npos, resumed.output);
  CHECK(std::filesystem::last_write_time(f.summary("uniform/seed-1")) == written);
  CHECK(f.report().find("failed_runs")->as_integer() == 0);
}

TEST_CASE("race: runs on data that have changed since do not count, and where the data are gone they do") {
  const race_folder f;
  const auto data = f.folder.path("data.csv");
  const auto write_rows = [&](int rows) {
    std::ofstream out(data);
    for (int i = 0; i < rows; ++i)
      out << i % 7 << ',' << i % 5 << ',' << i % 2 << '\n';
  };
  std::ofstream(f.folder.path("spec.json"))
      << R"({"schema_version": 1, "name": "r", "seeds": [1], "base": {"data": {"format": "csv", "train": ")"
      << data
      << R"("}, "model": [{"type": "dense", "units": 2}], "optimizer": {"type": "sgd", "learning_rate": 0.1},
         "duration": {"epochs": 1}},
         "arms": [{"name": "a", "set": {"sampling": "uniform"}}, {"name": "b", "set": {"batch_size": 32}}],
         "targets": [{"metric": "train_loss", "value": 0.6}]})";
  const auto race = [&] {
    return run_triage({"race", f.folder.path("spec.json"), "--dir", f.directory, "--set", "seeds=[1,2]"},
                      f.log);
  };
  write_rows(300);
  const auto first = race();
  REQUIRE_MESSAGE(first.exit_code == 0, first.output);
  write_rows(200);
  const auto changed = race();
  CHECK_MESSAGE(changed.exit_code == 3, changed.output);
  CHECK_MESSAGE(changed.output.find("the data have changed since it was trained") != std::string::npos,
                changed.output);
  std::filesystem::remove(data);
  const auto gone = race();
  CHECK_MESSAGE(gone.exit_code == 0, gone.output);
  CHECK_MESSAGE(gone.output.find("whether its data are as they were cannot be told") != std::string::npos,
                gone.output);
  write_rows(300);
  const auto restored = race();
  CHECK(restored.exit_code == 0);
  CHECK(restored.output.find("cannot be told") == std::string::npos);
}

TEST_CASE("race: what diverges while tuning is a result, what fails in the race makes the exit code 1") {
  const race_folder f;
  const std::vector<std::string> tuning = {"--set", "arms.0.grid={\"optimizer.learning_rate\":[0.08,1e6]}",
                                           "--set", "seeds=[1,2]",
                                           "--set", "base.duration.epochs=1"};
  const auto tuned = f.race(tuning);
  CHECK_MESSAGE(tuned.exit_code == 0, tuned.output);
  CHECK_MESSAGE(tuned.output.find("failed: ") != std::string::npos, tuned.output);
  const auto report = f.report();
  CHECK(element(*report.find("tuning"), "arms", 0).find("chosen")->as_string() == "learning_rate=0.08");
  auto failing = tuning;
  failing.insert(failing.end(),
                 {"--set", "arms.1={\"name\":\"wild\",\"set\":{\"optimizer.learning_rate\":1e6}}"});
  const auto failed = f.race(failing);
  CHECK_MESSAGE(failed.exit_code == 1, failed.output);
  CHECK(f.report().find("failed_runs")->as_integer() == 2);
  CHECK_MESSAGE(failed.output.find("wild failed with seed 1: training diverged") != std::string::npos,
                failed.output);
}

TEST_CASE("race: specifications that cannot be used: exit code 2 and the place, before anything is trained") {
  const race_folder f;
  const std::pair<const char*, const char*> cases[] = {
      {"sead=[1]", "did you mean \"seed"},
      {"cores=4096", "/cores"},
      {"arms.1.set={\"sampling.kind\":\"x\"}", "arm \"pps\""},
      {"arms.0.grid={\"optimizer.learning_rat\":[1,2]}", "learning_rate"},
  };
  for (const auto& [change, expected] : cases) {
    const auto r = f.race({"--set", change});
    CHECK_MESSAGE(r.exit_code == 2, change << ": " << r.output);
    CHECK_MESSAGE(r.output.find(expected) != std::string::npos, r.output);
  }
  CHECK(!std::filesystem::exists(f.directory + "/runs"));
}

TEST_CASE("race: two races do not share a directory, and a run dies with its race") {
  const race_folder f;
  process first(f.arguments({"--set", "base.duration.epochs=1e6"}), f.log);
  const std::string metrics = f.directory + "/runs/uniform/learning_rate=0.02/seed-101/metrics.jsonl";
  while (!std::filesystem::exists(metrics) && first.running())
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto second = run_triage(f.arguments(), f.folder.path("second.txt"));
  CHECK(second.exit_code == 2);
  CHECK_MESSAGE(second.output.find("another race") != std::string::npos, second.output);
  first.signal(SIGKILL);
  first.wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto size = std::filesystem::file_size(metrics);
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  CHECK(std::filesystem::file_size(metrics) == size);
}
