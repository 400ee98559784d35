#include "command_support.hpp"

#include "actors/model_evaluator.hpp"
#include "apps/support.hpp"
#include "core/directory_lock.hpp"
#include "core/npy.hpp"
#include "core/npz.hpp"
#include "core/rng.hpp"
#include "core/safetensors.hpp"
#include "nn/model_tensors.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

// The subcommands that look at a finished run, in this process: what they print, what they write, what they
// refuse.

using namespace triage;
using namespace triage::test;

namespace {

/// A copy of the small run, for tests that damage it.
struct own_copy {
  scratch_folder folder;
  std::string directory = folder.path("run");
  own_copy() {
    std::filesystem::copy(trained_run::small().directory(), directory,
                          std::filesystem::copy_options::recursive |
                              std::filesystem::copy_options::copy_symlinks);
  }
};

json_value json_of(const std::string& text) {
  auto parsed = parse_json(text, "output");
  REQUIRE_MESSAGE(parsed.ok(), text);
  return parsed.take();
}

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

/// A regression whose error grows a million times with every step.
std::string diverging_run(const scratch_folder& folder) {
  std::string rows = "a,y\n";
  for (int i = 0; i < 400; ++i)
    rows += std::to_string(i % 7) + "," + std::to_string(3 * (i % 7)) + "\n";
  return R"({"data": {"format": "csv", "path": ")" + folder.file("line.csv", rows) +
         R"(", "label_column": "y", "task": "regression", "test_fraction": 0.2},
    "model": [{"type": "dense", "units": 1}], "loss": "mean_squared_error",
    "optimizer": {"type": "sgd", "learning_rate": 1000000}, "batch_size": 16, "duration": {"epochs": 5}})";
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
  CHECK(quiet.err.size() < trained.err.size());
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
}

TEST_CASE("train: a directory that holds a run is not overwritten, and the run in it is not touched") {
  const own_copy run;
  const auto before = text_of(run.directory + "/summary.json");
  check_refused(run_command({"train", trained_run::small().description(), "--run-dir", run.directory}), 2,
                {run.directory, "already holds a run"});
  CHECK(text_of(run.directory + "/summary.json") == before);
}

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
  check_refused(run_command({"evaluate", run.directory(), "--set", "data.nose=3"}), 2,
                {"did you mean \"noise\""});
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

TEST_CASE("export: both formats hold the newest checkpoint's tensors, by name, row-major") {
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
  check_refused(run_command({"export", run.directory(), "--format", "npx", "--output", folder.path("x")}), 2,
                {"did you mean \"npz\"", "safetensors"});
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

TEST_CASE("irreducible: a model that diverges is an error that names the fold, and no file is written") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", diverging_run(folder));
  const auto s = run_command({"irreducible", file, "--output", folder.path("il.npy")});
  CHECK(s.code == 2);
  CHECK(s.err.find("fold 0 failed") != std::string::npos);
  CHECK(!std::filesystem::exists(folder.path("il.npy")));
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
    for (int i = 0; i < 3; ++i)
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
