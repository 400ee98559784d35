#include "process.hpp"

#include "../actors/run_support.hpp"
#include "core/files.hpp"
#include "core/rng.hpp"

#include <chrono>
#include <thread>

using namespace triage;
using namespace triage::test;

namespace {

const char* const small_description = R"({
  "name": "small",
  "data": {"format": "synthetic", "kind": "blobs", "train_size": 4000, "test_size": 500, "features": 16, "classes": 5},
  "model": [{"type": "dense", "units": 32, "activation": "relu"}, {"type": "dense", "units": 5}],
  "optimizer": {"type": "sgd", "learning_rate": 0.05, "momentum": 0.9},
  "sampling": {"type": "pps_epoch", "estimator": "byproduct"},
  "batch_size": 16, "duration": {"epochs": 12},
  "checkpoint": {"every_epochs": 0.25, "keep": 2}})";

struct folder_with_description {
  temporary_folder folder;
  std::string file;
  std::string log;
  explicit folder_with_description(const std::string& text = small_description)
      : file(folder.path("run.json")), log(folder.path("output.txt")) {
    write_text(file, text);
  }
  finished_process triage(std::vector<std::string> arguments) const { return run_triage(arguments, log); }
};

std::string newest_model(const std::string& run) {
  const auto all = list_checkpoints(run + "/checkpoints");
  return all.empty() ? "" : file_text(all.front() + "/model.safetensors");
}

} // namespace

TEST_CASE("train, evaluate, predict, export, inspect and resume a finished run") {
  const folder_with_description f;
  const std::string run = f.folder.path("r");
  const auto trained = f.triage({"train", f.file, "--run-dir", run});
  REQUIRE_MESSAGE(trained.exit_code == 0, trained.output);
  for (const char* name : {"config.json", "description.json", "metrics.jsonl", "log.txt", "summary.json",
                           "model/model.safetensors", "model/model.json", "checkpoints/latest/DONE"})
    CHECK_MESSAGE(std::filesystem::exists(run + "/" + name), name);

  const auto evaluated = f.triage({"evaluate", run});
  CHECK(evaluated.exit_code == 0);
  const auto summary = read_json_file(run + "/summary.json");
  const auto figures = parse_json(evaluated.output, "evaluate");
  REQUIRE_MESSAGE(figures.ok(), evaluated.output);
  CHECK(figures->find("test_loss")->as_number() == doctest::Approx(summary->find("test_loss")->as_number()));

  write_text(f.folder.path("in.csv"),
             "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1\n");
  const auto predicted =
      f.triage({"predict", run, "--input", f.folder.path("in.csv"), "--output", f.folder.path("out.csv")});
  CHECK_MESSAGE(predicted.exit_code == 0, predicted.output);
  const auto rows = file_text(f.folder.path("out.csv"));
  CHECK(rows.rfind("output_0,output_1,output_2,output_3,output_4\n", 0) == 0);
  CHECK(std::count(rows.begin(), rows.end(), '\n') == 3);
  CHECK(f.triage({"predict", run, "--input", f.folder.path("in.csv"), "--output", f.folder.path("out.npy")})
            .exit_code == 0);

  for (const char* format : {"safetensors", "npz"}) {
    const auto target = f.folder.path(std::string("model.") + format);
    const auto exported = f.triage({"export", run, "--format", format, "--output", target});
    CHECK_MESSAGE(exported.exit_code == 0, exported.output);
    const auto inspected = f.triage({"inspect", target});
    CHECK(inspected.exit_code == 0);
    CHECK(inspected.output.find("0.dense.weight") != std::string::npos);
  }
  CHECK(f.triage({"inspect", run}).output.find("healthy") != std::string::npos);
  CHECK(f.triage({"inspect", f.folder.path("out.npy")}).output.find("[2, 5]") != std::string::npos);
  CHECK(f.triage({"inspect", run + "/checkpoints/latest"}).exit_code == 0);

  const auto again = f.triage({"train", f.file, "--run-dir", run});
  CHECK(again.exit_code == 2);
  CHECK(again.output.find("already holds a run") != std::string::npos);
  const auto extended = f.triage({"resume", run, "--set", "duration.epochs=13"});
  CHECK_MESSAGE(extended.exit_code == 0, extended.output);
  CHECK(read_json_file(run + "/summary.json")->find("epochs")->as_number() >= 13.0);
}

TEST_CASE(
    "a run killed at ten random points and resumed each time ends with the bits of the uninterrupted run") {
  const folder_with_description f;
  const std::string whole = f.folder.path("whole");
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(f.triage({"train", f.file, "--run-dir", whole, "--quiet"}).exit_code == 0);
  const auto took = std::chrono::steady_clock::now() - begin;
  const std::string expected = newest_model(whole);
  rng random(2026, 1);
  for (int point = 0; point < 10; ++point) {
    const std::string run = f.folder.path("killed-" + std::to_string(point));
    {
      const process p({"train", f.file, "--run-dir", run, "--quiet"});
      std::this_thread::sleep_for(took * (0.1 + 0.8 * random.uniform()));
      p.signal(SIGKILL);
    }
    if (newest_model(run).empty()) { // killed before the first checkpoint: start again, as a user would
      std::filesystem::remove_all(run);
      REQUIRE(f.triage({"train", f.file, "--run-dir", run, "--quiet"}).exit_code == 0);
    } else {
      const auto resumed = f.triage({"resume", run, "--quiet"});
      REQUIRE_MESSAGE(resumed.exit_code == 0, resumed.output);
    }
    CHECK(newest_model(run) == expected);
  }
}

TEST_CASE("SIGINT and SIGTERM save and exit with 130 and 143") {
  for (const int number : {SIGINT, SIGTERM}) {
    const folder_with_description f;
    const std::string run = f.folder.path("r");
    process p({"train", f.file, "--run-dir", run, "--quiet", "--set", "duration.epochs=100000"});
    while (newest_model(run).empty())
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    p.signal(number);
    CHECK(p.wait() == 128 + number);
    CHECK(read_json_file(run + "/summary.json")->find("status")->as_string() == "interrupted");
    CHECK(f.triage({"resume", run, "--quiet", "--set", "duration.epochs=1"}).exit_code == 0);
  }
}

TEST_CASE("a damaged checkpoint is named, and the one before it is used") {
  const folder_with_description f;
  const std::string run = f.folder.path("r");
  REQUIRE(f.triage({"train", f.file, "--run-dir", run, "--quiet"}).exit_code == 0);
  const auto newest = list_checkpoints(run + "/checkpoints").front();
  auto bytes = file_text(newest + "/model.safetensors");
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  write_text(newest + "/model.safetensors", bytes);
  const auto evaluated = f.triage({"evaluate", run});
  CHECK(evaluated.exit_code == 0);
  CHECK(evaluated.output.find("model.safetensors") != std::string::npos);
  CHECK(evaluated.output.find("damaged") != std::string::npos);
}

TEST_CASE("bad descriptions: a clear message with the place, exit code 2, within a second") {
  struct bad_case {
    const char* override_text;
    const char* expected;
  };
  const folder_with_description f;
  for (const auto& c :
       {bad_case{"optimizer.learning_rat=0.1", "did you mean \"learning_rate\""},
        bad_case{"batch_size=\"x\"", "/batch_size"}, bad_case{"batch_size=0", "must be 1 to"},
        bad_case{"model.0.type=densee", "did you mean \"dense\""}, bad_case{"model.1.units=7", "need 5"},
        bad_case{"model=[{\"type\":\"conv2d\",\"filters\":4,\"kernel\":5,\"padding\":\"valid\"}]",
                 "layer 0 (conv2d)"},
        bad_case{"duration.epochs=null", "never end"},
        bad_case{"runtime.exchange.policy=bps", "did you mean \"bsp\""},
        bad_case{"sampling.kapa=1", "did you mean \"kappa\""},
        bad_case{"loss=softmax", "softmax_cross_entropy"}, bad_case{"data.format=indx", "idx"}}) {
    CAPTURE(c.override_text);
    const auto begin = std::chrono::steady_clock::now();
    const auto r = f.triage({"train", f.file, "--run-dir", f.folder.path("bad"), "--set", c.override_text});
    CHECK(r.exit_code == 2);
    CHECK_MESSAGE(r.output.find(c.expected) != std::string::npos, r.output);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
  }
  CHECK(!std::filesystem::exists(f.folder.path("bad")));
}

TEST_CASE("files that are no JSON description: exit code 2 and the line") {
  for (const std::string& text :
       {std::string("{\"a\": NaN}"), std::string("{\"a\": 1, \"a\": 2}"), std::string(100000, '['),
        std::string("{\n\n \"data\": 1e400}"), std::string()}) {
    const folder_with_description f(text);
    const auto r = f.triage({"train", f.file});
    CHECK(r.exit_code == 2);
    CHECK_MESSAGE(r.output.find("line") != std::string::npos, r.output);
  }
  const folder_with_description f;
  CHECK(f.triage({"train", f.folder.path("missing.json")}).exit_code == 2);
  CHECK(f.triage({"train"}).exit_code == 2);
  CHECK(f.triage({"fly"}).exit_code == 2);
  CHECK(f.triage({"--help"}).exit_code == 0);
}

TEST_CASE("data that cannot be used: exit code 3 and the file") {
  const folder_with_description f;
  for (const char* format : {"idx", "cifar10", "csv", "libsvm", "npy"}) {
    const auto r = f.triage(
        {"train", f.file, "--set",
         std::string("data={\"format\":\"") + format + "\",\"path\":\"" + f.folder.path("nothing") + "\"}"});
    CAPTURE(format);
    CHECK(r.exit_code == 3);
    CHECK_MESSAGE(r.output.find("nothing") != std::string::npos, r.output);
  }
}

TEST_CASE("a learning rate that diverges: exit code 1, and the first checkpoint stays") {
  const folder_with_description f;
  const auto r =
      f.triage({"train", f.file, "--run-dir", f.folder.path("r"), "--set", "optimizer.learning_rate=1e6"});
  CHECK(r.exit_code == 1);
  CHECK(r.output.find("diverged") != std::string::npos);
  CHECK(f.triage({"inspect", f.folder.path("r")}).output.find("healthy") != std::string::npos);
}

TEST_CASE("a run directory below a file: exit code 1 and the path") {
  const folder_with_description f;
  const auto r = f.triage({"train", f.file, "--run-dir", f.file + "/below"});
  CHECK(r.exit_code == 1);
  CHECK(r.output.find("below") != std::string::npos);
}

TEST_CASE("a full disk: training goes on to the end, the last good checkpoint stays, exit code 1") {
  // RLIMIT_FSIZE is inherited by the program: files cannot grow beyond it, as on a full disk.
  const folder_with_description f;
  const std::string run = f.folder.path("r");
  const std::string command = std::string("ulimit -f 24; trap '' XFSZ; exec ") + TRIAGE_BINARY_DIR +
                              "/triage train " + f.file + " --run-dir " + run + " --quiet > " + f.log +
                              " 2>&1";
  const int status = std::system(("bash -c \"" + command + "\"").c_str());
  CHECK(WEXITSTATUS(status) == 1);
  const auto text = file_text(f.log);
  CHECK_MESSAGE(text.find("checkpoint") != std::string::npos, text);
}

TEST_CASE("check, version and reference") {
  const folder_with_description f;
  const auto checked = f.triage({"check", f.file});
  CHECK_MESSAGE(checked.exit_code == 0, checked.output);
  CHECK(checked.output.find("everything fits") != std::string::npos);
  CHECK(f.triage({"version"}).output.rfind("triage ", 0) == 0);
  CHECK(parse_json(f.triage({"version", "--build-info"}).output, "version").ok());
  const auto reference = f.triage({"reference"});
  CHECK(reference.exit_code == 0);
  CHECK(reference.output == file_text(TRIAGE_SOURCE_DIR "/docs/run-description.md"));
}

TEST_CASE("examples: every run description passes its check") {
  const folder_with_description f;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TRIAGE_SOURCE_DIR "/examples"))
    if (entry.path().extension() == ".json" && entry.path().stem().string().rfind("race_", 0) != 0) {
      const auto r = f.triage({"check", entry.path().string()});
      CHECK_MESSAGE(r.exit_code == 0, entry.path().string() << ": " << r.output);
      ++count;
    }
  CHECK(count >= 6);
}

TEST_CASE("examples: xor is learned, the csv regression fits") {
  const folder_with_description f;
  const std::string examples = TRIAGE_SOURCE_DIR "/examples/";
  REQUIRE(f.triage({"train", examples + "xor.json", "--run-dir", f.folder.path("xor")}).exit_code == 0);
  CHECK(read_json_file(f.folder.path("xor/summary.json"))->find("test_accuracy")->as_number() > 0.97);
  const auto r = f.triage({"train", examples + "csv_regression.json", "--run-dir", f.folder.path("csv")});
  REQUIRE_MESSAGE(r.exit_code == 0, r.output);
  CHECK(read_json_file(f.folder.path("csv/summary.json"))->find("test_loss")->as_number() < 0.1);
}

TEST_CASE("examples: the embedding programs run and learn") {
  for (const char* name : {"train_in_30_lines", "custom_score", "custom_layer"}) {
    CAPTURE(name);
    const std::string command = std::string(TRIAGE_BINARY_DIR) + "/example_" + name + " > /dev/null";
    CHECK(std::system(command.c_str()) == 0);
  }
}
