#include "apps/processes/child_process.hpp"
#include "apps/race/machine.hpp"
#include "apps/race/race.hpp"
#include "apps/race/run_result.hpp"
#include "apps/race/runner.hpp"
#include "command_support.hpp"
#include "core/clock.hpp"
#include "core/directory_lock.hpp"
#include "race_support.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>

// What a race finds in files, and the processes it starts.

using namespace triage;
using namespace triage::test;

namespace {

/// A run directory as a run would leave it, or part of one.
struct run_files {
  scratch_folder folder;
  std::string name = "runs/a/seed-1";
  run_files() { std::filesystem::create_directories(folder.path(name)); }
  void put(const std::string& file, const std::string& text) const { (void)folder.file(name + file, text); }
  void complete(const std::string& status = "finished") const {
    put(".json", "{}\n");
    put("/summary.json",
        R"({"status": ")" + status +
            R"(", "train_seconds": 2.5, "samples_per_second": 400, "scoring_share": 0.125, "samples_trained": 100,
               "train_loss": null})");
    put("/description.json", R"({"data_fingerprint": "abc", "host": "here", "build": {"compiler": "g"}})");
    put("/metrics.jsonl",
        R"({"event": "progress", "epoch": 0.1}
{"event": "evaluation", "epoch": 0.5, "train_seconds": 1, "samples_trained": 50, "samples_scored": 7, "compute_seconds": 0.9, "train_loss": 0.75, "test_accuracy": 0.5}
{"event": "evaluation", "epoch": 1, "train_seconds": 2, "samples_trained": 100, "compute_seconds": 1.9, "train_loss": null, "test_accuracy": 0.625}
)");
  }
  [[nodiscard]] run_result read() const { return read_run_result(folder.path(), name, 1); }
};

} // namespace

TEST_CASE("race: a complete run is read: curve, figures, origin") {
  const run_files f;
  f.complete();
  const auto run = f.read();
  CHECK(!run.failed);
  CHECK(run.seed == 1);
  CHECK(run.directory == f.name);
  CHECK(run.train_seconds == 2.5);
  CHECK(run.samples_per_second == 400.0);
  CHECK(run.scoring_share == 0.125);
  CHECK(run.data_fingerprint == "abc");
  CHECK(run.made_on.find("here") == 0);
  REQUIRE(run.points.size() == 2); // progress is no evaluation
  CHECK(run.points[0].samples == 50.0);
  CHECK(run.points[0].scored == 7.0);
  CHECK(*run.points[0].find("train_loss") == 0.75);
  CHECK(!run.points[1].find("train_loss")); // null: it was not finite
  CHECK(*run.final_figure("test_accuracy") == 0.625);
  CHECK(!run.final_figure("train_loss"));
  CHECK(!run.final_figure("test_loss"));
}

TEST_CASE("race: everything but a complete run is a failed one, which says why and counts as the worst") {
  const auto failure = [](const auto& arrange) {
    const run_files f;
    f.complete();
    arrange(f);
    const auto run = f.read();
    CHECK(run.failed);
    CHECK(std::isinf(*run.final_figure("train_loss")));
    CHECK(*run.final_figure("test_accuracy") < 0.0);
    return run.problem;
  };
  const auto gone = [](const run_files& f, const std::string& file) {
    std::filesystem::remove(f.folder.path(f.name + file));
  };
  CHECK(failure([&](const run_files& f) { gone(f, "/summary.json"); }) == "it ended without a word");
  CHECK(failure([&](const run_files& f) {
          gone(f, "/summary.json");
          f.put(".log", "one\ntriage: out of memory\n\n");
        }) == "triage: out of memory");
  CHECK(failure([&](const run_files& f) {
          gone(f, "/summary.json");
          f.put(".log", "\n \n");
        }) == "it ended without a word");
  CHECK(failure([](const run_files& f) {
          f.put("/summary.json", R"({"status": "failed", "problem": "training diverged"})");
        }) == "training diverged");
  CHECK(failure([](const run_files& f) { f.put("/summary.json", R"({"status": "interrupted"})"); }) ==
        "it ended as interrupted");
  CHECK(failure([](const run_files& f) { f.put("/summary.json", "{"); }).find("word") != std::string::npos);
  CHECK(failure([](const run_files& f) { f.put("/metrics.jsonl", ""); }).find("no evaluation") !=
        std::string::npos);
  CHECK(failure([&](const run_files& f) { gone(f, "/metrics.jsonl"); }).find("metrics.jsonl") !=
        std::string::npos);
  CHECK(failure([](const run_files& f) {
          f.put("/metrics.jsonl", "{\"event\": \"evaluation\", \"epoch\": }\n");
        }).find("metrics.jsonl, line 1") != std::string::npos);
}

TEST_CASE("race: a last line of the metrics that was cut off is left out, one in the middle is an error") {
  const run_files f;
  f.complete();
  const auto whole = text_of(f.folder.path(f.name + "/metrics.jsonl"));
  for (std::size_t cut = whole.rfind("{\"event\"") + 1; cut < whole.size(); ++cut) {
    f.put("/metrics.jsonl", whole.substr(0, cut));
    const auto points = read_curve(f.folder.path(f.name + "/metrics.jsonl"));
    REQUIRE(points.ok());
    REQUIRE(points->size() == 1);
  }
  f.put("/metrics.jsonl", "{\"event\": \"evaluation\", \"ep\n" + whole);
  CHECK(!read_curve(f.folder.path(f.name + "/metrics.jsonl")).ok());
}

TEST_CASE("race: a run is done when it ended well with exactly this description") {
  const run_files f;
  const auto directory = f.folder.path(f.name);
  CHECK(!is_done(directory, "{}\n"));
  f.complete();
  CHECK(is_done(directory, "{}\n"));
  CHECK(!is_done(directory, "{} \n")); // described otherwise now
  for (const char* status : {"target_reached", "stopped_improving"}) {
    f.complete(status);
    CHECK(is_done(directory, "{}\n"));
  }
  for (const char* status : {"failed", "interrupted", "too few workers", "unknown"}) {
    f.complete(status);
    CHECK(!is_done(directory, "{}\n"));
  }
  f.complete();
  std::filesystem::remove(directory + "/summary.json");
  CHECK(!is_done(directory, "{}\n"));
}

TEST_CASE("race: a run whose curve is gone, damaged or does not end as its summary says is done again") {
  const run_files f;
  const auto directory = f.folder.path(f.name);
  f.complete();
  const auto whole = *read_file(directory + "/metrics.jsonl", 1U << 20U);
  const auto first_two = whole.substr(0, whole.rfind("{"));
  for (const auto& damaged : {std::string(), std::string("garbage\n"), first_two}) {
    f.put("/metrics.jsonl", damaged);
    CHECK(!is_done(directory, "{}\n"));
  }
  f.put("/metrics.jsonl", whole);
  CHECK(is_done(directory, "{}\n"));
  std::filesystem::remove(directory + "/metrics.jsonl");
  CHECK(!is_done(directory, "{}\n"));
  f.complete();
  f.put("/summary.json", R"({"status": "finished", "samples_trained": 100, "train_loss": 0.5})");
  CHECK(!is_done(directory, "{}\n")); // the curve ends with none
}

TEST_CASE("race: its directory is held against others, made where it is missing, and free again afterwards") {
  const scratch_folder folder;
  const auto directory = folder.path("deep/race");
  {
    const auto first = directory_lock::take(directory, "another race is running");
    REQUIRE(first.ok());
    const auto second = directory_lock::take(directory, "another race is running");
    REQUIRE(!second.ok());
    CHECK(second.error().kind == error_kind::configuration);
    CHECK(second.error().message == directory + ": another race is running");
  }
  CHECK(directory_lock::take(directory, "another race is running").ok());
  const auto below_file = directory_lock::take(folder.file("file", "") + "/race", "");
  REQUIRE(!below_file.ok());
  CHECK(below_file.error().kind == error_kind::io);
}

TEST_CASE("race: more cores than there are is refused with the numbers, before any data is loaded") {
  const scratch_folder folder;
  const auto cores = static_cast<std::int64_t>(available_cores().size());
  auto spec = small_spec();
  spec.cores = cores;
  spec.parallel = 2;
  spec.base = json_text(R"({"data": {"format": "idx", "path": "/nowhere"}})");
  const auto refused = check_race(spec, folder.path());
  REQUIRE(!refused.ok());
  CHECK(refused.error().message.find("/cores") != std::string::npos);
  CHECK(refused.error().message.find(std::to_string(2 * cores) + " cores") != std::string::npos);
}

TEST_CASE("race: each arm's description is checked with its name; what was checked is not loaded again") {
  const scratch_folder folder;
  const auto fine = small_spec();
  REQUIRE(check_race(fine, folder.path()).ok());
  CHECK(std::filesystem::exists(folder.path("checked.txt")));
  const auto wrong =
      small_spec("", R"([{"name": "a"}, {"name": "b", "set": {"optimizer.learning_rat": 1}}])");
  const auto refused = check_race(wrong, folder.path());
  REQUIRE(!refused.ok());
  CHECK(refused.error().message.find("arm \"b\"") == 0);
  CHECK(refused.error().message.find("did you mean \"learning_rate\"") != std::string::npos);
  // A base that can no longer be loaded does not matter to a race that has been checked.
  CHECK(check_race(fine, folder.path()).ok());
}

TEST_CASE("race: a figure that an arm never measures is refused before anything runs") {
  const scratch_folder folder;
  auto spec = small_spec();
  REQUIRE(check_race(spec, folder.path()).ok());
  spec.targets.front().metric = "validation_loss";
  const auto target = check_race(spec, folder.path());
  REQUIRE(!target.ok());
  CHECK(target.error().message.find("/targets/0/metric") != std::string::npos);
  CHECK(target.error().message.find("data.validation_fraction") != std::string::npos);
  spec = small_spec();
  spec.tuning_metric = "validation_accuracy";
  for (auto& arm : spec.arms)
    arm.grid.clear();
  CHECK(check_race(spec, folder.path()).ok()); // nothing is tuned
  spec.arms.front().grid = {{"optimizer.learning_rate", {json_value(0.1), json_value(0.2)}}};
  const auto tuning = check_race(spec, folder.path());
  REQUIRE(!tuning.ok());
  CHECK(tuning.error().message.find("/tuning/metric") != std::string::npos);
}

TEST_CASE("race: the machine is described by what can be looked up") {
  const auto m = machine_description();
  CHECK(!m.find("cpu")->as_string().empty());
  CHECK(m.find("cores")->as_integer() >= 1);
  CHECK(m.find("available_cores")->as_integer() == static_cast<std::int64_t>(available_cores().size()));
  CHECK(m.find("memory_bytes")->as_number() > 1e8);
}

TEST_CASE("child process: exit codes, signals, output and arguments arrive as they are") {
  const scratch_folder folder;
  const auto shell = [&](const std::string& script, const std::string& output = "") {
    auto child = child_process::start({.arguments = {"-c", script, "zero", "a b", "'\"$x"},
                                       .program = "sh",
                                       .output_file = output.empty() ? "" : folder.path(output)});
    REQUIRE(child.ok());
    return child.take();
  };
  CHECK(*shell("exit 0").wait(10.0) == 0);
  CHECK(*shell("exit 75").wait(10.0) == 75);
  CHECK(*shell("kill -9 $$").wait(10.0) == 128 + SIGKILL);
  CHECK(*shell("printf '%s|%s' \"$1\" \"$2\"; echo said >&2", "out").wait(10.0) == 0);
  CHECK(text_of(folder.path("out")) == "a b|'\"$xsaid\n");
  auto missing = child_process::start({.arguments = {}, .program = "/nowhere/program"});
  REQUIRE(missing.ok());
  CHECK(*missing->wait(10.0) == 127);
  const auto bad_output =
      child_process::start({.arguments = {}, .program = "true", .output_file = "/nowhere/out"});
  REQUIRE(!bad_output.ok());
  CHECK(bad_output.error().message.find("/nowhere/out") != std::string::npos);
}

TEST_CASE(
    "child process: a signal reaches it, waiting ends in time, and the destructor leaves no process behind") {
  auto child = child_process::start({.arguments = {"1000"}, .program = "sleep"});
  REQUIRE(child.ok());
  CHECK(!child->poll());
  CHECK(!child->wait(0.01));
  child->signal(SIGTERM);
  CHECK(*child->wait(10.0) == 128 + SIGTERM);
  CHECK(!child->poll());  // told once
  child->signal(SIGTERM); // and nobody else is hit

  const scratch_folder folder;
  {
    auto left = child_process::start({.arguments = {"-c", "echo $$; exec sleep 1000"},
                                      .program = "sh",
                                      .output_file = folder.path("pid")});
    REQUIRE(left.ok());
    child_process moved = left.take();
    while (text_of(folder.path("pid")).find('\n') == std::string::npos)
      CHECK(!moved.wait(0.005));
  }
  CHECK(kill(std::stoi(text_of(folder.path("pid"))), 0) == -1);
}

TEST_CASE("child process: whoever waits for several is woken by the first that ends, or in time") {
  const auto sleeping = [](const char* seconds) {
    auto child = child_process::start({.arguments = {seconds}, .program = "sleep"});
    REQUIRE(child.ok());
    return child.take();
  };
  child_process longer = sleeping("1000");
  child_process shorter = sleeping("0.05");
  const std::array<const child_process*, 2> both = {&longer, &shorter};
  wait_for_any(both, 60.0);
  CHECK(shorter.poll() == 0);
  CHECK(!longer.poll());
  const steady_clock clock;
  const double begin = clock.now();
  wait_for_any({both.data(), 1}, 0.02);
  CHECK(clock.now() - begin >= 0.02);
  wait_for_any({}, 0.0);
}

TEST_CASE("child process: it is pinned to its cores, and to all without any") {
  const scratch_folder folder;
  const auto cores = available_cores();
  REQUIRE(!cores.empty());
  // nproc counts what OpenMP's variables allow where they are set
  const std::vector<std::string> count = {"-u", "OMP_NUM_THREADS", "-u", "OMP_THREAD_LIMIT", "nproc"};
  auto pinned = child_process::start(
      {.arguments = count, .program = "env", .output_file = folder.path("one"), .cores = {cores.back()}});
  REQUIRE(pinned.ok());
  REQUIRE(*pinned->wait(10.0) == 0);
  CHECK(text_of(folder.path("one")) == "1\n");
  auto free = child_process::start({.arguments = count, .program = "env", .output_file = folder.path("all")});
  REQUIRE(free.ok());
  REQUIRE(*free->wait(10.0) == 0);
  CHECK(std::stoul(text_of(folder.path("all"))) == cores.size());
  auto nowhere = child_process::start({.arguments = count, .program = "env", .cores = {CPU_SETSIZE - 1}});
  REQUIRE(nowhere.ok());
  CHECK(*nowhere->wait(10.0) == 126); // no such core
}

TEST_CASE("race: a plan whose runs are all done starts nothing and says so") {
  const run_files f;
  f.complete();
  race_runner runner({f.folder.path(), 1, 1, 1, {}});
  planned_run run;
  run.directory = f.name;
  run.description = "{}\n";
  run.label = "a seed 1";
  const scratch_folder scratch;
  {
    const redirected err(STDERR_FILENO, scratch.path("err"));
    CHECK(runner.run({run}).ok());
  }
  CHECK(text_of(scratch.path("err")) == "1 of 1 runs were done already\n");
}

TEST_CASE("race: a stop that was requested before anything began starts nothing") {
  const run_files f;
  std::stop_source source;
  source.request_stop();
  race_runner runner({f.folder.path(), 1, 1, 1, source.get_token()});
  planned_run run;
  run.directory = f.name;
  run.description = "{}\n";
  CHECK(runner.run({run}).ok());
  CHECK(runner.stopped());
  CHECK(!std::filesystem::exists(f.folder.path(f.name + ".json")));
}
