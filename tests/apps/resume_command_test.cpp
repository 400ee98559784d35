#include "command_support.hpp"

#include "core/checkpoint.hpp"
#include "core/directory_lock.hpp"

using namespace triage;
using namespace triage::test;

TEST_CASE("resume: an epoch more; a setting that does not fit the checkpoint is refused with what differs") {
  const own_copy run;
  const auto resumed = run_command({"resume", run.directory, "--quiet", "--set", "duration.epochs=3"});
  REQUIRE_MESSAGE(resumed.code == 0, resumed.err);
  CHECK(json_of(text_of(run.directory + "/summary.json")).find("epochs")->as_number() ==
        doctest::Approx(3.0).epsilon(0.05));
  const auto config = text_of(run.directory + "/config.json");
  const auto other = run_command({"resume", run.directory, "--quiet", "--set", "model.0.units=9"});
  CHECK(other.code != 0);
  CHECK(other.err.find("0.dense.weight") != std::string::npos);
  const auto idle = run_command({"resume", run.directory, "--quiet", "--set", "runtime.workers=0"});
  CHECK(idle.code == 2);
  CHECK(idle.err.find("--listen") != std::string::npos);
  CHECK(text_of(run.directory + "/config.json") == config); // or nothing could resume it any more
}

TEST_CASE("resume: a run that has trained as much as is asked for says so") {
  const own_copy run;
  const auto resumed = run_command({"resume", run.directory, "--set", "duration.epochs=1"});
  CHECK(resumed.code == 0);
  CHECK_MESSAGE(resumed.err.find("nothing is left to train: ") != std::string::npos, resumed.err);
  CHECK(resumed.err.find("epochs are done, and duration.epochs is 1\n") != std::string::npos);
}

TEST_CASE("resume: a run that ended before its first checkpoint starts from its beginning") {
  const own_copy run;
  const auto whole = json_of(text_of(run.directory + "/summary.json"));
  std::filesystem::remove_all(run.directory + "/checkpoints");
  const auto resumed = run_command({"resume", run.directory, "--quiet"});
  REQUIRE_MESSAGE(resumed.code == 0, resumed.err);
  CHECK(resumed.err.find("starts from its beginning") != std::string::npos);
  const auto again = json_of(text_of(run.directory + "/summary.json"));
  CHECK(again.find("train_loss")->as_number() == whole.find("train_loss")->as_number());
  check_refused(run_command({"predict", run.directory + "/none", "--input", "x.npy", "--output", "y.csv"}), 2,
                {"not a run directory"});
}

TEST_CASE("resume: the metrics say from which step on they are told again") {
  const own_copy run;
  REQUIRE(run_command({"resume", run.directory, "--quiet", "--set", "duration.epochs=3"}).code == 0);
  const auto text = text_of(run.directory + "/metrics.jsonl");
  const auto at = text.find(R"("event":"resumed")");
  REQUIRE(at != std::string::npos);
  CHECK(text.find(R"("event":"finished")") < at);
  CHECK(text.find(R"("event":"finished")", at) != std::string::npos);
}

TEST_CASE("resume: what the network is fed may not change") {
  const own_copy run;
  check_refused(run_command({"resume", run.directory, "--quiet", "--set", "data.standardize=false"}), 3,
                {"fingerprint", "options of \"data\""});
}

TEST_CASE(
    "resume: columns and classes may not be called otherwise, or predictions would take them for others") {
  const scratch_folder folder;
  const auto rows = [&](const std::string& header, const std::string& second_class) {
    std::string text = header + "\n";
    for (int i = 0; i < 100; ++i)
      text += std::to_string(i % 7) + "," + std::to_string(i % 5) + "," +
              (i % 2 == 0 ? "even" : second_class) + "\n";
    return folder.file("d.csv", text);
  };
  const auto description =
      folder.file("r.json", R"({"schema_version": 1, "name": "r", "model": [{"type": "dense", "units": 2}],
                    "data": {"format": "csv", "train": ")" +
                                rows("a,b,y", "odd") + R"("}, "duration": {"epochs": 1},
                    "optimizer": {"type": "sgd", "learning_rate": 0.1}})");
  REQUIRE(run_command({"train", description, "--quiet", "--run-dir", folder.path("run")}).code == 0);
  const auto resume = [&] {
    return run_command({"resume", folder.path("run"), "--quiet", "--set", "duration.epochs=2"});
  };
  rows("b,a,y", "odd");
  check_refused(resume(), 3, {"names", "feature 0 is \"b\", not \"a\""});
  rows("a,b,y", "oddly");
  check_refused(resume(), 3, {"class 1 is \"oddly\", not \"odd\""});
  rows("a,b,y", "odd");
  CHECK(resume().code == 0);
}

TEST_CASE("resume: what was set stays set for the next time") {
  const own_copy run;
  REQUIRE(run_command({"resume", run.directory, "--quiet", "--set", "duration.epochs=3"}).code == 0);
  CHECK(json_of(text_of(run.directory + "/config.json")).find("duration")->find("epochs")->as_number() ==
        3.0);
}

TEST_CASE("resume: with another optimizer or sampling the run goes on from its parameters, and says what "
          "begins anew") {
  struct change {
    std::vector<std::string> set;
    const char* dropped;
    const char* remark;
  };
  for (const auto& c :
       {change{
            {"--set", "optimizer.type=adam", "--set", "optimizer.learning_rate=0.002"},
            "optimizer.type=adam takes the place of \"sgd\", whose options were dropped: momentum, nesterov",
            "moments of this one begin at zero"},
        change{{"--set", "sampling.type=uniform"},
               "sampling.type=uniform takes the place of \"pps_epoch\"",
               "begins anew"},
        change{{"--set", "sampling.type=auto_balanced", "--set", "sampling.guard.mode=off"},
               "sampling.type=auto_balanced takes the place of",
               ""},
        change{{"--set", "sampling.guard.mode=off"}, "", ""},
        change{{"--set", R"(runtime.exchange={"policy":"local_sgd","block_momentum":0.5})"}, "", ""},
        change{
            {"--set", "schedule.type=cosine"}, "schedule.type=cosine takes the place of \"constant\"", ""}}) {
    CAPTURE(c.set[1]);
    const own_copy run;
    const auto before = json_of(text_of(run.directory + "/summary.json"));
    std::vector<std::string> arguments = {"resume", run.directory, "--set", "duration.epochs=3"};
    arguments.insert(arguments.end(), c.set.begin(), c.set.end());
    const auto changed = run_command(arguments);
    REQUIRE_MESSAGE(changed.code == 0, changed.err);
    CHECK_MESSAGE(changed.err.find(c.dropped) != std::string::npos, changed.err);
    CHECK_MESSAGE(text_of(run.directory + "/log.txt").find(c.remark) != std::string::npos, changed.err);
    const auto again = run_command({"resume", run.directory, "--quiet", "--set", "duration.epochs=4"});
    REQUIRE_MESSAGE(again.code == 0, again.err);
    CHECK(again.err.empty());
    const auto summary = json_of(text_of(run.directory + "/summary.json"));
    CHECK(summary.find("epochs")->as_number() == doctest::Approx(4.0).epsilon(0.05));
    CHECK(summary.find("steps")->as_number() > before.find("steps")->as_number());
  }
}

TEST_CASE("resume: a ledger that is turned on later counts from there on, and says so") {
  const own_copy run;
  const auto resume = [&](const char* ledger, const char* epochs) {
    const auto s = run_command({"resume", run.directory, "--quiet", "--set", ledger, "--set", epochs});
    CHECK_MESSAGE(s.code == 0, s.err);
  };
  resume("runtime.ledger=false", "duration.epochs=3");
  resume("runtime.ledger=true", "duration.epochs=4");
  CHECK(text_of(run.directory + "/log.txt").find("no ledger: it counts from here on") != std::string::npos);
}

TEST_CASE("resume: other data is refused before anything of the run is touched") {
  const own_copy run;
  const auto summary = text_of(run.directory + "/summary.json");
  const auto config = text_of(run.directory + "/config.json");
  for (const char* change : {"seed=77", "data.noise=3"}) {
    check_refused(run_command({"resume", run.directory, "--set", change}), 3, {"fingerprint", "seed"});
    CHECK(text_of(run.directory + "/summary.json") == summary);
    CHECK(text_of(run.directory + "/config.json") == config);
  }
}

TEST_CASE("resume: a directory that somebody trains in is refused") {
  const own_copy run;
  const auto held = directory_lock::take(run.directory, "held by the test");
  REQUIRE(held.ok());
  check_refused(run_command({"resume", run.directory, "--quiet"}), 2, {"another process is training"});
}

TEST_CASE("resume: a target that was reached ends the run at once, another one is measured anew") {
  const own_copy run;
  const auto resume = [&](const char* target) {
    REQUIRE(run_command({"resume", run.directory, "--quiet", "--set", "duration.epochs=8", "--set",
                         "duration.target.metric=train_loss", "--set", target})
                .code == 0);
    return json_of(text_of(run.directory + "/summary.json"));
  };
  const auto first = resume("duration.target.value=1000");
  REQUIRE(first.find("status")->as_string() == "target_reached");
  const double epochs = first.find("epochs")->as_number();
  CHECK(epochs < 7.0);
  CHECK(resume("duration.target.value=1000").find("epochs")->as_number() == epochs);
  const auto other = resume("duration.target.value=-1"); // never
  CHECK(other.find("status")->as_string() == "finished");
  CHECK(other.find("epochs")->as_number() > 7.5);
  CHECK(other.find("time_to_target")->is_null());
}

TEST_CASE(
    "the best checkpoint: evaluate, predict and export take it with --best, and say where there is none") {
  const own_copy run;
  for (const char* command : {"evaluate", "export"}) {
    std::vector<std::string> arguments{command, run.directory, "--best"};
    if (std::string(command) == "export")
      arguments.insert(arguments.end(), {"--output", run.directory + "/model.npz"});
    check_refused(run_command(arguments), 3, {"no best checkpoint is kept", "checkpoint.best"});
  }
  REQUIRE(run_command({"resume", run.directory, "--quiet", "--set", "duration.epochs=4", "--set",
                       "checkpoint.best=train_loss"})
              .code == 0);
  const auto summary = json_of(text_of(run.directory + "/summary.json"));
  const auto* best = summary.find("best");
  REQUIRE(best != nullptr);
  REQUIRE(best->is_object());
  // With nothing else left to read, it is the best one that is read.
  for (const auto& checkpoint : list_checkpoints(run.directory + "/checkpoints"))
    std::ofstream(checkpoint + "/model.safetensors", std::ios::binary) << "no model";
  CHECK(run_command({"evaluate", run.directory}).code == 3);
  const auto s = run_command({"evaluate", run.directory, "--best"});
  REQUIRE_MESSAGE(s.code == 0, s.err);
  CHECK(json_of(s.out).find("train_loss")->as_number() ==
        doctest::Approx(best->find("value")->as_number()).epsilon(1e-5));
  CHECK(run_command({"export", run.directory, "--best", "--output", run.directory + "/model.npz"}).code == 0);
  const scratch_folder folder;
  const auto input = folder.file("in.csv", "1,2,3,4\n");
  const auto predicted =
      run_command({"predict", run.directory, "--best", "--input", input, "--output", folder.path("out.csv")});
  CHECK_MESSAGE(predicted.code == 0, predicted.err);
}

TEST_CASE(
    "a damaged newest checkpoint is named on stderr, and the one before it is used by all who open runs") {
  const own_copy run;
  REQUIRE(run_command({"resume", run.directory, "--quiet", "--set", "duration.epochs=3", "--set",
                       "checkpoint.every_epochs=0.5", "--set", "checkpoint.keep=4"})
              .code == 0);
  const auto all = list_checkpoints(run.directory + "/checkpoints");
  REQUIRE(all.size() >= 2);
  auto bytes = text_of(all.front() + "/model.safetensors");
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 4);
  std::ofstream(all.front() + "/model.safetensors", std::ios::binary) << bytes;
  const auto s = run_command({"evaluate", run.directory});
  CHECK(s.code == 0);
  CHECK(s.err.find("passed over a damaged checkpoint") != std::string::npos);
  CHECK(parse_json(s.out, "evaluate").ok()); // stdout stays clean
  for (const auto& checkpoint : all)
    std::ofstream(checkpoint + "/model.safetensors", std::ios::binary) << "no model";
  const auto none = run_command({"evaluate", run.directory});
  CHECK(none.code != 0);
  CHECK(none.out.empty());
}
