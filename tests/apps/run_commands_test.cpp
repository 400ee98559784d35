#include "command_support.hpp"

#include "actors/model_evaluator.hpp"
#include "apps/support.hpp"
#include "core/directory_lock.hpp"
#include "core/npy.hpp"
#include "core/npz.hpp"
#include "core/rng.hpp"
#include "core/safetensors.hpp"
#include "nn/model_tensors.hpp"
#include "tests/nn/onnx/onnx_reader.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <sstream>

// The subcommands that look at a finished run, in this process: what they print, what they write, what they
// refuse.

using namespace triage;
using namespace triage::test;

namespace {

std::vector<std::vector<double>> csv_numbers(const std::string& text) {
  std::vector<std::vector<double>> rows;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line); // the header
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::string cell;
    rows.emplace_back();
    while (std::getline(cells, cell, ','))
      rows.back().push_back(std::stod(cell));
  }
  return rows;
}

/// The newest model of the small run, by hand: two dense layers, in double.
std::vector<double> probabilities(const opened_run& run, const std::vector<float>& sample) {
  const auto model = read_model(run.setup->net->parameters(), run.parameters.view());
  const auto tensor = [&](const std::string& name) -> const named_tensor& {
    const auto at = std::find_if(model.begin(), model.end(), [&](const auto& t) { return t.name == name; });
    REQUIRE_MESSAGE(at != model.end(), name);
    return *at;
  };
  const auto layer = [&](const std::vector<double>& x, const std::string& prefix) {
    const auto& w = tensor(prefix + "weight");
    const auto& b = tensor(prefix + "bias");
    std::vector<double> y;
    for (std::size_t o = 0; o < b.values.size(); ++o) {
      double sum = static_cast<double>(b.values[o]);
      for (std::size_t i = 0; i < x.size(); ++i)
        sum += x[i] * static_cast<double>(w.values[o * x.size() + i]);
      y.push_back(sum);
    }
    return y;
  };
  std::vector<double> x;
  const auto& standard = run.setup->data.standard;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    const std::size_t c = standard.scale.size() == 1 ? 0 : i;
    x.push_back(static_cast<double>(sample[i]) * static_cast<double>(standard.scale[c]) +
                static_cast<double>(standard.shift[c]));
  }
  auto h = layer(x, "0.dense.");
  for (double& v : h)
    v = std::max(v, 0.0);
  auto z = layer(h, "1.dense.");
  const double most = *std::max_element(z.begin(), z.end());
  double sum = 0.0;
  for (double& v : z)
    sum += v = std::exp(v - most);
  for (double& v : z)
    v /= sum;
  return z;
}

} // namespace

TEST_CASE("train: the summary is one line on stdout; log lines are on stderr; --quiet leaves progress out") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  const auto trained = run_command({"train", file, "--run-dir", folder.path("a")});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  CHECK(std::count(trained.out.begin(), trained.out.end(), '\n') == 1);
  CHECK(trained.out.rfind(folder.path("a") + ": finished after 2.", 0) == 0);
  CHECK(trained.out.find("test accuracy") != std::string::npos);
  CHECK(!trained.err.empty());
  const auto quiet = run_command({"train", file, "--run-dir", folder.path("b"), "--quiet"});
  CHECK(quiet.code == 0);
  CHECK(quiet.err.empty());
  CHECK(text_of(folder.path("b/log.txt")).find("[info]") != std::string::npos);
}

TEST_CASE("train: --set changes the run, and the directory records what was really run") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  const auto run = folder.path("r");
  REQUIRE(run_command({"train", file, "--run-dir", run, "--quiet", "--set", "duration.epochs=1", "--set",
                       "model.0.units=5", "--set", "sampling=uniform"})
              .code == 0);
  const auto config = json_of(text_of(run + "/config.json"));
  CHECK(config.find("model")->as_array()[0].find("units")->as_integer() == 5);
  CHECK(config.find("duration")->find("epochs")->as_number() == 1.0);
  CHECK(text_of(run + "/description.json").find("model.0.units=5") != std::string::npos); // the command line
  // And that file is a description by itself.
  CHECK(run_command({"train", run + "/config.json", "--run-dir", folder.path("again"), "--quiet"}).code == 0);
  CHECK(text_of(run + "/model/model.safetensors") == text_of(folder.path("again/model/model.safetensors")));
}

TEST_CASE("train: a trace is written where it is asked for, and is JSON") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  REQUIRE(
      run_command({"train", file, "--run-dir", folder.path("r"), "--quiet", "--trace", folder.path("t.json")})
          .code == 0);
  const auto trace = json_of(text_of(folder.path("t.json")));
  const auto& events = trace.is_array() ? trace : *trace.find("traceEvents");
  CHECK(events.as_array().size() > 20);
  const auto nowhere = run_command(
      {"train", file, "--run-dir", folder.path("n"), "--quiet", "--trace", folder.path("none/t.json")});
  check_refused(nowhere, 1, {folder.path("none/t.json")});
  CHECK(!std::filesystem::exists(folder.path("n"))); // before anything: the next try finds no half a run
}

TEST_CASE("train: where nobody would work no directory is made") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  check_refused(run_command({"train", file, "--run-dir", folder.path("r"), "--set", "runtime.workers=0"}), 2,
                {"/runtime/workers", "--listen"});
  CHECK(!std::filesystem::exists(folder.path("r")));
}

TEST_CASE("train, inspect: validation figures are among what is printed") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  const auto trained = run_command(
      {"train", file, "--run-dir", folder.path("r"), "--quiet", "--set", "data.validation_fraction=0.2"});
  CHECK(trained.out.find("validation accuracy") != std::string::npos);
  const auto seen = run_command({"inspect", folder.path("r")});
  CHECK(seen.out.find("  validation_accuracy  ") != std::string::npos);
  CHECK(run_command({"inspect", trained_run::small().directory()}).out.find("  validation_") ==
        std::string::npos);
}

TEST_CASE("train: a directory that holds a run is not overwritten, and the run in it is not touched") {
  const own_copy run;
  const auto before = text_of(run.directory + "/summary.json");
  check_refused(run_command({"train", trained_run::small().description(), "--run-dir", run.directory}), 2,
                {run.directory, "already holds a run"});
  CHECK(text_of(run.directory + "/summary.json") == before);
}

TEST_CASE(
    "train: a directory that another process is about to train in is refused before anything is written") {
  const scratch_folder folder;
  const auto held = directory_lock::take(folder.path("r"), "held by the test");
  REQUIRE(held.ok());
  check_refused(run_command({"train", trained_run::small().description(), "--run-dir", folder.path("r")}), 2,
                {folder.path("r"), "another process is training"});
  CHECK(!std::filesystem::exists(folder.path("r/config.json")));
  CHECK(!std::filesystem::exists(folder.path("r/description.json")));
}

TEST_CASE("train: a run that cannot begin leaves no directory that would be in the way of the next try") {
  const scratch_folder folder;
  const auto& file = trained_run::small().description();
  const auto own = folder.file("mine.txt", "x");
  for (const auto& place : {folder.path("new"), folder.path()}) {
    check_refused(run_command({"train", file, "--run-dir", place, "--listen", "0.0.0.0:0", "--quiet"}), 2,
                  {"--insecure"});
    CHECK(!std::filesystem::exists(place + "/config.json"));
  }
  CHECK(!std::filesystem::exists(folder.path("new")));
  CHECK(text_of(own) == "x");
  CHECK(run_command({"train", file, "--run-dir", folder.path("new"), "--quiet"}).code == 0);
}

TEST_CASE("evaluate: JSON on stdout, the same figures as the run's summary, and nothing else") {
  const auto& run = trained_run::small();
  const auto s = run_command({"evaluate", run.directory()});
  CHECK(s.code == 0);
  CHECK(s.err.empty());
  const auto figures = json_of(s.out);
  const auto summary = json_of(text_of(run.directory() + "/summary.json"));
  for (const char* name : {"test_loss", "test_accuracy"})
    CHECK(figures.find(name)->as_number() == doctest::Approx(summary.find(name)->as_number()));
}

TEST_CASE("train: another optimizer by --set is told from the one in the file, with what was dropped") {
  const scratch_folder folder;
  const auto& file = trained_run::small().description();
  const auto s = run_command({"train", file, "--run-dir", folder.path("r"), "--quiet", "--set",
                              "optimizer.type=adam", "--set", "optimizer.learning_rate=0.01"});
  REQUIRE_MESSAGE(s.code == 0, s.err);
  CHECK(s.err.find("--set optimizer.type=adam takes the place of \"sgd\", whose options were dropped: "
                   "momentum;") != std::string::npos);
  const auto config = json_of(text_of(folder.path("r/config.json")));
  CHECK(config.find("optimizer")->find("learning_rate")->as_number() == 0.01);
  CHECK(config.find("optimizer")->find("momentum") == nullptr);
}

TEST_CASE("evaluate: --set measures on other data, without changing the run") {
  const auto& run = trained_run::small();
  const auto before = text_of(run.directory() + "/config.json");
  const auto s =
      run_command({"evaluate", run.directory(), "--set", "data.noise=3", "--set", "data.test_size=400"});
  REQUIRE_MESSAGE(s.code == 0, s.err);
  const auto plain = json_of(run_command({"evaluate", run.directory()}).out);
  CHECK(json_of(s.out).find("test_accuracy")->as_number() < plain.find("test_accuracy")->as_number());
  for (const char* name : {"train_loss", "train_accuracy"}) // of what was trained on
    CHECK(json_of(s.out).find(name)->as_number() == plain.find(name)->as_number());
  CHECK(text_of(run.directory() + "/config.json") == before);
  check_refused(run_command({"evaluate", run.directory(), "--set", "seed=5"}), 2, {"seed=5", "data"});
  check_refused(run_command({"evaluate", run.directory(), "--set", "data.features=5"}), 3, {"does not fit"});
  for (const char* change :
       {"data.test_fraction=0.9", "data.standardize=false", "data.validation_fraction=0.1",
        "data.regime.subset=0.5"}) // would measure on what was trained, or feed it otherwise
    check_refused(run_command({"evaluate", run.directory(), "--set", change}), 2, {change, "data.test=FILE"});
  check_refused(run_command({"evaluate", run.directory(), "--set", "data.nose=3"}), 2,
                {"did you mean \"noise\""});
}

TEST_CASE("predict and export need neither the training data nor what it was called") {
  const scratch_folder folder;
  std::string rows = "size,weight,kind\n";
  rng random(3, 1);
  for (int i = 0; i < 120; ++i) {
    const bool large = i % 2 == 0;
    rows += fmt::format("{},{},{}\n", (large ? 2.0 : 0.0) + random.uniform(), random.normal(),
                        large ? "big" : "small");
  }
  const auto data = folder.file("data.csv", rows);
  const auto description = folder.file("run.json", R"({"data": {"format": "csv", "path": ")" + data + R"("},
    "model": [{"type": "dense", "units": 2}], "optimizer": {"type": "sgd", "learning_rate": 0.1},
    "batch_size": 8, "duration": {"epochs": 5}})");
  const auto run = folder.path("run");
  REQUIRE(run_command({"train", description, "--run-dir", run, "--quiet"}).code == 0);
  const auto input = folder.file("new.csv", "weight,size\n0,0.5\n0,2.5\n");
  REQUIRE(run_command({"predict", run, "--input", input, "--output", folder.path("with.csv")}).code == 0);
  std::filesystem::remove(data);
  const auto s = run_command({"predict", run, "--input", input, "--output", folder.path("without.csv")});
  REQUIRE_MESSAGE(s.code == 0, s.err);
  CHECK(text_of(folder.path("without.csv")) == text_of(folder.path("with.csv")));
  CHECK(text_of(folder.path("with.csv")).starts_with("big,small\n"));
  CHECK(run_command({"export", run, "--output", folder.path("m.npz")}).code == 0);
  CHECK(text_of(run + "/model/model.json").find("weight") != std::string::npos);
  check_refused(run_command({"evaluate", run}), 3, {"data.csv"});
  folder.file("data.csv", rows); // of another file a fifth would be held out
  const auto labelled = folder.file("labelled.csv", rows);
  check_refused(run_command({"evaluate", run, "--set", "data.path=" + labelled}), 3, {"data.test=FILE"});
  CHECK(run_command({"evaluate", run, "--set", "data.test=" + labelled}).code == 0);
}

TEST_CASE("predict: probabilities are those of the model computed by hand, in CSV and in npy alike") {
  const auto& run = trained_run::small();
  const scratch_folder folder;
  rng random(3, 1);
  std::vector<float> samples(4 * 300); // more than one chunk of the program
  for (float& v : samples)
    v = static_cast<float>(2.0 * random.normal());
  REQUIRE(write_npy(folder.path("in.npy"), {300, 4}, samples).ok());
  const auto to_csv = run_command(
      {"predict", run.directory(), "--input", folder.path("in.npy"), "--output", folder.path("out.csv")});
  REQUIRE_MESSAGE(to_csv.code == 0, to_csv.err);
  CHECK(to_csv.out == folder.path("out.csv") + ": 300 predictions\n");
  const auto text = text_of(folder.path("out.csv"));
  CHECK(text.rfind("output_0,output_1,output_2\n", 0) == 0);
  const auto rows = csv_numbers(text);
  REQUIRE(rows.size() == 300);
  auto opened = open_run(run.directory());
  REQUIRE(opened.ok());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto expected = probabilities(*opened, {samples.begin() + static_cast<std::ptrdiff_t>(4 * i),
                                                  samples.begin() + static_cast<std::ptrdiff_t>(4 * i + 4)});
    REQUIRE(rows[i].size() == 3);
    for (std::size_t k = 0; k < 3; ++k)
      REQUIRE(rows[i][k] == doctest::Approx(expected[k]).epsilon(1e-4).scale(1.0));
  }
  REQUIRE(run_command({"predict", run.directory(), "--input", folder.path("in.npy"), "--output",
                       folder.path("out.npy")})
              .code == 0);
  const auto array = read_npy(folder.path("out.npy"));
  REQUIRE(array.ok());
  CHECK(array->shape == std::vector<std::int64_t>{300, 3});
  const auto& values = std::get<std::vector<float>>(array->values);
  for (std::size_t i = 0; i < rows.size(); ++i)
    REQUIRE(values[3 * i + 1] == doctest::Approx(rows[i][1]));
}

TEST_CASE("predict: an output of another kind, inputs that do not fit: refused before anything is written") {
  const auto& run = trained_run::small();
  const scratch_folder folder;
  const auto input = folder.file("in.csv", "1,2,3,4\n");
  check_refused(
      run_command({"predict", run.directory(), "--input", input, "--output", folder.path("out.txt")}), 2,
      {".csv or .npy"});
  const auto narrow = folder.file("narrow.csv", "1,2,3\n");
  check_refused(
      run_command({"predict", run.directory(), "--input", narrow, "--output", folder.path("out.csv")}), 3,
      {"narrow.csv, line 1", "the model takes 4"});
  const auto missing = run_command(
      {"predict", run.directory(), "--input", folder.path("none.csv"), "--output", folder.path("out.csv")});
  CHECK(missing.code != 0);
  CHECK(!std::filesystem::exists(folder.path("out.csv")));
  CHECK(run_command({"predict", run.directory(), "--input", input, "--output", "/nowhere/out.csv"}).code ==
        1);
}

TEST_CASE("predict: the samples are not written over") {
  const scratch_folder folder;
  const auto input = folder.file("in.csv", "1,2,3,4\n");
  std::filesystem::create_symlink(input, folder.path("same.csv"));
  for (const auto& output : {input, folder.path("same.csv")})
    check_refused(
        run_command({"predict", trained_run::small().directory(), "--input", input, "--output", output}), 2,
        {output, "choose another --output"});
  CHECK(text_of(input) == "1,2,3,4\n");
}

TEST_CASE("export: all formats hold the newest checkpoint's tensors, by name, row-major") {
  const auto& run = trained_run::small();
  const scratch_folder folder;
  auto opened = open_run(run.directory());
  REQUIRE(opened.ok());
  const auto model = read_model(opened->setup->net->parameters(), opened->parameters.view());
  REQUIRE(model.size() == 4);
  const auto s = run_command({"export", run.directory(), "--output", folder.path("m.safetensors")});
  CHECK(s.code == 0);
  CHECK(s.out == folder.path("m.safetensors") + ": 4 tensors\n");
  CHECK(text_of(folder.path("m.safetensors")) == encode_safetensors(to_stored(model)));
  CHECK(text_of(run.directory() + "/model/model.safetensors") == text_of(folder.path("m.safetensors")));
  REQUIRE(run_command({"export", run.directory(), "--output", folder.path("m.npz")}).code ==
          0); // by its name
  REQUIRE(run_command({"export", run.directory(), "--format", "npz", "--output", folder.path("n")}).code ==
          0);
  CHECK(text_of(folder.path("n")).starts_with("PK"));
  const auto inspected = run_command({"inspect", folder.path("m.npz")});
  for (const auto& tensor : model)
    CHECK_MESSAGE(inspected.out.find(tensor.name) != std::string::npos, tensor.name);
  const auto onnx = run_command({"export", run.directory(), "--output", folder.path("m.onnx")});
  CHECK(onnx.code == 0);
  const std::vector<float> samples = {0.5F, -1.0F, 2.0F, 0.25F, -0.75F, 1.5F, 0.0F, 1.0F};
  REQUIRE(write_npy(folder.path("in.npy"), {2, 4}, samples).ok());
  REQUIRE(run_command({"predict", run.directory(), "--input", folder.path("in.npy"), "--output",
                       folder.path("out.npy")})
              .code == 0);
  const auto file = text_of(folder.path("m.onnx"));
  const onnx_reader reader(file);
  const auto there = reader.run({{2, 4}, {samples.begin(), samples.end()}}).at("prediction");
  const auto here = read_npy(folder.path("out.npy"));
  REQUIRE(here.ok());
  const auto& predicted = std::get<std::vector<float>>(here->values);
  REQUIRE(there.values.size() == predicted.size());
  for (std::size_t k = 0; k < predicted.size(); ++k)
    CHECK(there.values[k] == doctest::Approx(predicted[k]).epsilon(1e-5));
  CHECK(reader.notes().at("outputs") == R"(["output_0","output_1","output_2"])");
  CHECK(reader.notes().at("input").find("unscaled") != std::string::npos);
  check_refused(run_command({"export", run.directory(), "--format", "npx", "--output", folder.path("x")}), 2,
                {"did you mean \"npz\"", "safetensors"});
  check_refused(run_command({"export", run.directory(), "--output", folder.path("x")}), 2,
                {"names no format", ".safetensors", ".onnx"});
  CHECK(!std::filesystem::exists(folder.path("x")));
}

TEST_CASE("inspect: runs, checkpoints and files are described on stdout; what is none of them is refused") {
  const auto& run = trained_run::small();
  const scratch_folder folder;
  const auto whole = run_command({"inspect", run.directory()});
  CHECK(whole.code == 0);
  CHECK(whole.err.empty());
  CHECK(whole.out.find("healthy") != std::string::npos);
  CHECK(whole.out.ends_with('\n'));
  CHECK(run_command({"inspect", run.directory() + "/checkpoints/latest"}).code == 0);
  CHECK(run_command({"inspect", run.directory() + "/model/model.safetensors"}).code == 0);
  check_refused(run_command({"inspect", folder.file("x.txt", "hello")}), 3, {"x.txt"});
  check_refused(run_command({"inspect", folder.file("x.npy", "\x93NUMPY\x01")}), 3, {"x.npy"});
}

TEST_CASE("check: the model, the times and the memory on stdout; what does not fit, where") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  const auto s = run_command({"check", file});
  REQUIRE_MESSAGE(s.code == 0, s.err);
  CHECK(s.err.empty());
  CHECK(s.out.find("300 training, 0 validation, 60 test samples") != std::string::npos);
  CHECK(s.out.find("for 2 epochs") != std::string::npos);
  CHECK(s.out.find("MB of memory") != std::string::npos);
  CHECK(s.out.find("scoring one point costs") != std::string::npos); // the default sampling scores
  CHECK(run_command({"check", file, "--set", "sampling=uniform"}).out.find("scoring one point") ==
        std::string::npos);
  check_refused(run_command({"check", file, "--set", "model.1.units=4"}), 2, {"/model"});
  const auto wild = folder.file("wild.json", diverging_run(folder));
  check_refused(run_command({"check", wild}), 1, {"not finite", "learning rate"});
  CHECK(!std::filesystem::exists(folder.path("runs"))); // a check leaves nothing behind
}
