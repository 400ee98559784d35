#include "cluster_support.hpp"

#include "../actors/run_support.hpp"
#include "core/json.hpp"

#include <cmath>

using namespace triage;
using namespace triage::test;

namespace {

// Steps of 4 ms that are waited for, so that what else the machine does matters little.
const char* const description = R"({
  "name": "emulated",
  "data": {"format": "synthetic", "kind": "blobs", "train_size": 256, "test_size": 0, "features": 4, "classes": 10},
  "model": [{"type": "synthetic_wait", "milliseconds": 2, "parameters": 20000},
            {"type": "synthetic_wait", "milliseconds": 2, "parameters": 20000}, {"type": "dense", "units": 10}],
  "optimizer": {"type": "sgd", "learning_rate": 0.001},
  "batch_size": 1, "duration": {"epochs": 1}, "sampling": {"type": "uniform"}})";

double figure(const json_value& row, const char* name) {
  const auto* value = row.find(name);
  REQUIRE(value != nullptr);
  return value->as_number();
}

} // namespace

TEST_CASE("forecast: a run is profiled with one node, saved, and forecast for more; the trace is one") {
  const temporary_folder folder;
  const std::string file = folder.path("run.json");
  write_text(file, description);
  const std::string scratch = folder.path("out.txt");
  const std::string profile = folder.path("profile.jsonl");
  const auto first = run_triage({"forecast", file, "--seconds", "0.6", "--save-profile", profile, "--local",
                                 "--nodes", "1", "2", "--trace", folder.path("trace.json")},
                                scratch);
  REQUIRE_MESSAGE(first.exit_code == 0, first.output);
  CHECK(first.output.find("computing 4.") != std::string::npos);
  CHECK(first.output.find("busiest") != std::string::npos);
  CHECK(read_json_file(folder.path("trace.json"))->find("traceEvents")->as_array().size() > 100);

  const auto replayed = run_triage({"forecast", "--profile", profile, "--nodes", "1", "4", "64",
                                    "--bandwidth-mbps", "1000", "--latency-ms", "1", "--json"},
                                   scratch);
  REQUIRE_MESSAGE(replayed.exit_code == 0, replayed.output);
  const auto out = parse_json(replayed.output, "output");
  REQUIRE(out.ok());
  const auto& rows = out->find("forecasts")->as_array();
  REQUIRE(rows.size() == 3);
  double last = 0.0;
  for (const auto& row : rows) {
    const double speed = figure(row, "samples_per_second");
    CHECK(speed > last);
    CHECK(speed <= 1.001 * figure(row, "at_most"));
    last = speed;
  }
  // 160 kB for each answer each way: 1.3 ms of the network at 1000 Mbit/s, so 781 answers in a second.
  CHECK(figure(rows[2], "at_most") == doctest::Approx(781.0).epsilon(0.01));
  // Under bsp the way there and the way back take turns: 64 answers in 164 ms, and about 6 ms of computing.
  CHECK(last == doctest::Approx(64.0 / 0.170).epsilon(0.1));
  CHECK(figure(rows[0], "samples_per_second") < 200.0);
}

TEST_CASE("forecast: time that is waited for counts once, wherever the layer stands and whatever it has") {
  const temporary_folder folder;
  const std::string file = folder.path("run.json");
  write_text(file, description);
  for (
      const char* model :
      {R"(model=[{"type":"synthetic_wait","milliseconds":8},{"type":"dense","units":10}])",
       R"(model=[{"type":"dense","units":9},{"type":"synthetic_wait","milliseconds":8},{"type":"dense","units":10}])"}) {
    CAPTURE(model);
    const auto run = run_triage({"forecast", file, "--seconds", "0.6", "--nodes", "1", "--set", model},
                                folder.path("out.txt"));
    REQUIRE_MESSAGE(run.exit_code == 0, run.output);
    CHECK_MESSAGE(run.output.find("computing 8.") != std::string::npos, run.output);
  }
}

TEST_CASE("forecast: what is forecast can be measured beside it") {
  const temporary_folder folder;
  const std::string file = folder.path("run.json");
  write_text(file, description);
  const auto run = run_triage({"forecast", file, "--seconds", "0.6", "--measure", "--nodes", "2", "--set",
                               R"(runtime.exchange={"policy":"asp"})", "--json"},
                              folder.path("out.txt"));
  REQUIRE_MESSAGE(run.exit_code == 0, run.output);
  const auto out = parse_json(run.output, "output");
  REQUIRE_MESSAGE(out.ok(), run.output);
  const auto& row = out->find("forecasts")->as_array().front();
  CHECK(figure(row, "measured") > 0.0);
  CHECK(figure(row, "samples_per_second") > 0.0);
}

TEST_CASE("forecast: a policy whose rounds change, and a profile that is none, are refused") {
  const temporary_folder folder;
  const std::string file = folder.path("run.json");
  write_text(file, description);
  const auto changing = run_triage({"forecast", file, "--set", R"(runtime.exchange={"policy":"adacomm"})"},
                                   folder.path("out.txt"));
  CHECK(changing.exit_code == 2);
  CHECK_MESSAGE(changing.output.find("forecast local_sgd") != std::string::npos, changing.output);
  const auto unwritable =
      run_triage({"forecast", file, "--save-profile", folder.path("none/p.jsonl")}, folder.path("out.txt"));
  CHECK(unwritable.exit_code == 1);
  CHECK_MESSAGE(unwritable.output.find("none/p.jsonl") != std::string::npos, unwritable.output);
  CHECK(unwritable.cpu_seconds < 0.5); // nothing was run
  const auto wrong = run_triage({"forecast", "--profile", file}, folder.path("out.txt"));
  CHECK(wrong.exit_code == 2);
  CHECK_MESSAGE(wrong.output.find("run.json, line 1") != std::string::npos, wrong.output);
}
