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
  const auto other = run_command({"resume", run.directory, "--quiet", "--set", "model.0.units=9"});
  CHECK(other.code != 0);
  CHECK(other.err.find("0.dense.weight") != std::string::npos);
}

TEST_CASE("resume: what was set stays set for the next time") {
  const own_copy run;
  REQUIRE(run_command({"resume", run.directory, "--quiet", "--set", "duration.epochs=3"}).code == 0);
  CHECK(json_of(text_of(run.directory + "/config.json")).find("duration")->find("epochs")->as_number() ==
        3.0);
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
