#include "core/files.hpp"
#include "fault_run.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <set>

// Half of the nodes leave every five seconds, as they are told or from one moment to the next, and come back.

using namespace triage;
using namespace triage::test;

namespace {

constexpr double tick_seconds = 5.0;

double memory_mb(pid_t pid) {
  const auto text = file_text(fmt::format("/proc/{}/status", pid));
  const auto at = text.find("VmRSS:");
  return at == std::string::npos ? 0.0 : std::atof(text.c_str() + at + 6) / 1024.0;
}

std::size_t open_files(pid_t pid) {
  std::error_code ec;
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid), ec), {}));
}

constexpr const char* small_steps = "optimizer.learning_rate=0.0005";

/// The accuracy of the same run in one process: so many epochs, then the rest with small steps.
double undisturbed_churn(const scenario& s, double reached, int epochs) {
  const temporary_folder folder;
  const auto run = folder.path("run");
  std::vector<std::string> first = {"train", "examples/fashion_mlp.json", "--run-dir", run, "--quiet"};
  const auto sets = s.overrides();
  first.insert(first.end(), sets.begin(), sets.end());
  for (const auto& set : {fmt::format("duration.epochs={}", reached), std::string("runtime.workers=3")}) {
    first.emplace_back("--set");
    first.push_back(set);
  }
  REQUIRE(run_triage(first, folder.path("output.txt")).exit_code == 0);
  REQUIRE(run_triage({"resume", run, "--quiet", "--set", fmt::format("duration.epochs={}", epochs), "--set",
                      small_steps},
                     folder.path("output.txt"))
              .exit_code == 0);
  const auto summary = read_json_file(run + "/summary.json");
  REQUIRE(summary.ok());
  return summary->find("test_accuracy")->as_number();
}

/// Everything that one tick does: those that were away come back, two of the others go.
class churn {
public:
  churn(fault_run& run, rng& random, fault_tally& tally) : run_(run), random_(random), tally_(tally) {}

  void tick() {
    const auto& all = run_.what().workers;
    std::vector<std::string> here;
    for (const auto& name : all)
      if (!away_.contains(name))
        here.push_back(name);
    for (const auto& name : std::exchange(away_, {})) {
      const int code = run_.end_of_node(name, 20.0);
      CHECK_MESSAGE((code == 128 + SIGTERM || code == 128 + SIGKILL), name << " ended with " << code);
      run_.start_node(name);
    }
    const auto training = run_.members();
    for (int i = 0; i < 2 && !here.empty(); ++i) {
      const auto at = std::min(
          here.size() - 1, static_cast<std::size_t>(random_.uniform() * static_cast<double>(here.size())));
      leave(here[at], std::find(training.begin(), training.end(), here[at]) != training.end());
      here.erase(here.begin() + static_cast<std::ptrdiff_t>(at));
    }
    ++ticks;
  }
  void everybody_back() {
    for (const auto& name : std::exchange(away_, {})) {
      (void)run_.end_of_node(name, 20.0);
      run_.start_node(name);
    }
  }

  std::size_t ticks = 0;
  std::size_t killed = 0;
  std::size_t told = 0;

private:
  void leave(const std::string& name, bool was_training) {
    const bool at_once = random_.uniform() < 0.5;
    const std::string line = name + "/worker-0 left the run";
    const auto before = run_.in_log(line);
    run_.signal_node(name, at_once ? SIGKILL : SIGTERM);
    away_.insert(name);
    ++(at_once ? killed : told);
    if (at_once && was_training)
      check_detected(run_.wait_for_log(line, before + 1, 20.0), killed_seconds, tally_);
  }

  fault_run& run_;
  rng& random_;
  fault_tally& tally_;
  std::set<std::string> away_;
};

} // namespace

TEST_CASE("faults: half of the nodes leave and join every five seconds") {
  fault_tally tally("churn");
  auto random = tally.begin_point(0);
  scenario s;
  s.workers = {"a", "b", "c", "d"};
  s.epochs = 100000; // until it is told to stop; how many it was is settled then
  s.more = {"optimizer.learning_rate=0.01", R"(schedule={"type":"constant"})", "checkpoint.every_epochs=2"};
  tally.say(fmt::format("{} minutes", the_plan().churn_minutes));
  fault_run run(s);
  run.begin();
  churn people(run, random, tally);
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  double early_mb = 0.0;
  std::size_t early_files = 0;
  while (seconds() < 60.0 * the_plan().churn_minutes) {
    REQUIRE_MESSAGE(run.coordinator().running(), run.log());
    people.tick();
    pause_for(tick_seconds);
    if (early_files == 0 && seconds() > 20.0 * the_plan().churn_minutes) {
      early_mb = memory_mb(run.coordinator().pid());
      early_files = open_files(run.coordinator().pid());
    }
  }
  const double late_mb = memory_mb(run.coordinator().pid());
  const auto late_files = open_files(run.coordinator().pid());
  tally.say(
      fmt::format("{} ticks, {} killed, {} told to leave; coordinator {:.0f} -> {:.0f} MB, {} -> {} files",
                  people.ticks, people.killed, people.told, early_mb, late_mb, early_files, late_files));
  CHECK(late_files <= early_files + 16);
  CHECK(late_mb <= early_mb + 64.0);
  run.coordinator().signal(SIGTERM);
  REQUIRE_MESSAGE(run.end_of_coordinator(60.0) == 128 + SIGTERM, run.log());
  // To the end of a whole epoch, so that visits can be counted, and with smaller steps, since the accuracy
  // after large ones is a matter of chance. Everybody finds the way back.
  const double reached = run.summary().find("epochs")->as_number();
  const int epochs = static_cast<int>(reached) + 3;
  run.set_epochs(epochs);
  run.resume_coordinator({fmt::format("duration.epochs={}", epochs), small_steps});
  people.everybody_back();
  check_finished(run, tally, undisturbed_churn(s, reached, epochs));
}
