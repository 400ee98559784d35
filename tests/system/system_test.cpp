#include "cluster_support.hpp"
#include "run_folder.hpp"

#include "core/rng.hpp"
#include "nn/kernels/engine.hpp"

#include <chrono>
#include <thread>

using namespace triage;
using namespace triage::test;

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

TEST_CASE("a second signal ends the run at once, in the middle of a step") {
  const folder_with_description f;
  const std::string run = f.folder.path("r");
  process p({"train", f.file, "--run-dir", run, "--quiet", "--set",
             R"(model=[{"type":"synthetic_wait","milliseconds":1000000},{"type":"dense","units":5}])"},
            f.log);
  REQUIRE(eventually(60.0, [&] { return !newest_model(run).empty(); }));
  p.signal(SIGINT);
  REQUIRE(eventually(60.0, [&] { return file_text(f.log).find("triage: ") != std::string::npos; }));
  CHECK(p.running()); // it waits for the step, which takes a quarter of an hour
  p.signal(SIGINT);
  CHECK(p.wait() == 130);
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

TEST_CASE("check, version and reference") {
  const folder_with_description f;
  const auto checked = f.triage({"check", f.file});
  CHECK_MESSAGE(checked.exit_code == 0, checked.output);
  CHECK(checked.output.find("everything fits") != std::string::npos);
  CHECK(checked.output.find("note:") == std::string::npos);
  for (const char* left_to_nodes : {"runtime.workers=0", "runtime.min_workers=9", "network.shards=4"}) {
    const auto noted = f.triage({"check", f.file, "--set", left_to_nodes});
    CHECK(noted.exit_code == 0);
    CHECK_MESSAGE(noted.output.find("--listen") != std::string::npos, noted.output);
  }
  CHECK(f.triage({"version"}).output.rfind("triage ", 0) == 0);
  CHECK(parse_json(f.triage({"version", "--build-info"}).output, "version").ok());
  const auto reference = f.triage({"reference"});
  CHECK(reference.exit_code == 0);
  CHECK(reference.output == file_text(TRIAGE_SOURCE_DIR "/docs/run-description.md"));
}

TEST_CASE("training in bfloat16: as good, reproducible, and refused where the processor cannot") {
  const folder_with_description f;
  const auto train = [&](const char* name, const char* precision,
                         const std::function<void()>& in_child = {}) {
    return f.triage({"train", f.file, "--run-dir", f.folder.path(name), "--quiet", "--set",
                     std::string("runtime.training_precision=") + precision},
                    in_child);
  };
  const auto limited = train("limited", "bf16", [] { setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1); });
  CHECK(limited.exit_code == 2);
  CHECK(limited.output.find("/runtime/training_precision") != std::string::npos);
  if (!has_bfloat16()) {
    MESSAGE("not trained: this processor has no bfloat16 arithmetic");
    return;
  }
  for (const char* name : {"a", "b"}) {
    const auto trained = train(name, "bf16");
    REQUIRE_MESSAGE(trained.exit_code == 0, trained.output);
  }
  REQUIRE(train("exact", "f32").exit_code == 0);
  CHECK(newest_model(f.folder.path("a")) == newest_model(f.folder.path("b")));
  CHECK(newest_model(f.folder.path("a")) != newest_model(f.folder.path("exact")));
  const auto accuracy = [&](const char* name) {
    return read_json_file(f.folder.path(name) + "/summary.json")->find("test_accuracy")->as_number();
  };
  CHECK(accuracy("a") == doctest::Approx(accuracy("exact")).epsilon(0.02));
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
