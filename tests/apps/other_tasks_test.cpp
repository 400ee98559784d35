#include "command_support.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <sstream>

// The subcommands on tasks that are not a softmax over classes: regression, one output, images.

using namespace triage;
using namespace triage::test;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  std::string line;
  while (std::getline(in, line))
    out.push_back(line);
  return out;
}

/// Points of y = 3 a - 2 b + 1.
std::string plane_csv(int points) {
  std::string out = "a,b,y\n";
  for (int i = 0; i < points; ++i) {
    const double a = std::sin(1.7 * i);
    const double b = std::cos(2.3 * i);
    out += std::to_string(a) + "," + std::to_string(b) + "," + std::to_string(3.0 * a - 2.0 * b + 1.0) + "\n";
  }
  return out;
}

} // namespace

TEST_CASE("regression: train, evaluate, predict and ledger speak of values, not of classes") {
  const scratch_folder folder;
  const auto data = folder.file("plane.csv", plane_csv(400));
  const auto file = folder.file(
      "run.json", R"({
    "data": {"format": "csv", "path": ")" +
                      data + R"(", "label_column": "y", "task": "regression", "test_fraction": 0.2},
    "model": [{"type": "dense", "units": 1}], "loss": "mean_squared_error",
    "optimizer": {"type": "adam", "learning_rate": 0.05}, "batch_size": 16, "duration": {"epochs": 30}})");
  const auto run = folder.path("r");
  const auto trained = run_command({"train", file, "--run-dir", run, "--quiet"});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  CHECK(trained.out.find("accuracy") == std::string::npos);
  CHECK(trained.out.find("test loss") != std::string::npos);
  const auto evaluated = parse_json(run_command({"evaluate", run}).out, "evaluate");
  REQUIRE(evaluated.ok());
  CHECK(evaluated->find("test_loss")->as_number() < 0.01);
  CHECK((evaluated->find("test_accuracy") == nullptr || evaluated->find("test_accuracy")->is_null()));
  const auto in = folder.file("in.csv", "a,b\n0,0\n1,0\n0,1\n0.5,-0.5\n");
  REQUIRE(run_command({"predict", run, "--input", in, "--output", folder.path("out.csv")}).code == 0);
  const auto rows = lines_of(text_of(folder.path("out.csv")));
  REQUIRE(rows.size() == 5);
  CHECK(rows[0] == "y");
  const double expected[] = {1.0, 4.0, -1.0, 3.5};
  for (std::size_t i = 0; i < 4; ++i) // in the units of the targets
    CHECK(std::stod(rows[i + 1]) == doctest::Approx(expected[i]).epsilon(0.1).scale(1.0));
  const auto ledger = run_command({"ledger", run, "--output-dir", folder.path("l")});
  REQUIRE_MESSAGE(ledger.code == 0, ledger.err);
  CHECK(text_of(folder.path("l/ledger.html")).find("<h2>Classes</h2>") == std::string::npos);
}

TEST_CASE("one output: predictions are the probability of the second class") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", R"({
    "data": {"format": "synthetic", "kind": "blobs", "train_size": 300, "test_size": 100, "features": 2, "classes": 2},
    "model": [{"type": "dense", "units": 1}], "loss": "binary_cross_entropy",
    "optimizer": {"type": "sgd", "learning_rate": 0.2}, "duration": {"epochs": 5}})");
  const auto run = folder.path("r");
  const auto trained = run_command({"train", file, "--run-dir", run, "--quiet"});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  const auto in = folder.file("in.csv", "-5,-5\n5,5\n-5,5\n5,-5\n");
  REQUIRE(run_command({"predict", run, "--input", in, "--output", folder.path("out.csv")}).code == 0);
  const auto rows = lines_of(text_of(folder.path("out.csv")));
  REQUIRE(rows.size() == 5);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    CHECK(std::stod(rows[i]) >= 0.0);
    CHECK(std::stod(rows[i]) <= 1.0);
  }
  // As likely as the model finds a class, so often it is right: on the test set, and by the right half.
  const auto accuracy = parse_json(run_command({"evaluate", run}).out, "evaluate");
  REQUIRE(accuracy.ok());
  CHECK(accuracy->find("test_accuracy")->as_number() > 0.7);
}

TEST_CASE("names: predictions and the ledger call classes as the data does, columns are found by name") {
  const scratch_folder folder;
  std::string rows = "id,width,kind,height\n";
  for (int i = 0; i < 120; ++i) {
    const char* const kind[] = {"ant, red", "bee", "cow"};
    rows += std::to_string(i) + "," + std::to_string(i % 3) + ".5,\"" + kind[i % 3] + "\"," +
            std::to_string(2 - i % 3) + "\n";
  }
  const auto file = folder.file("run.json", R"({
    "data": {"format": "csv", "path": ")" + folder.file("zoo.csv", rows) +
                                                R"(", "label_column": "kind", "ignore_columns": ["id"]},
    "model": [{"type": "dense", "units": 3}],
    "optimizer": {"type": "adam", "learning_rate": 0.1}, "duration": {"epochs": 20}})");
  const auto run = folder.path("r");
  const auto trained = run_command({"train", file, "--run-dir", run, "--quiet"});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  const auto in = folder.file("in.csv", "kind,height,width,id\n?,0,2.5,9\n?,2,0.5,8\n");
  const auto predicted = run_command({"predict", run, "--input", in, "--output", folder.path("out.csv")});
  REQUIRE_MESSAGE(predicted.code == 0, predicted.err);
  CHECK(predicted.err.find("ignores what the model was not trained on: kind, id") != std::string::npos);
  const auto lines = lines_of(text_of(folder.path("out.csv")));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "\"ant, red\",bee,cow");
  CHECK(std::stod(lines[1].substr(lines[1].rfind(',') + 1)) > 0.5); // a cow
  CHECK(std::stod(lines[2]) > 0.5);                                 // an ant
  check_refused(run_command({"predict", run, "--input", folder.file("other.csv", "width,hight\n1,2\n"),
                             "--output", folder.path("none.csv")}),
                3, {"no column \"height\"", "hight"});
  REQUIRE(run_command({"ledger", run}).code == 0);
  CHECK(text_of(run + "/ledger.csv").find(",\"ant, red\",") != std::string::npos);
  CHECK(text_of(run + "/ledger.html").find("<td>ant, red</td>") != std::string::npos);
}

TEST_CASE("images: the ledger's page has pictures, and check counts the cost of scoring") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", R"({
    "data": {"format": "synthetic", "kind": "images", "train_size": 200, "test_size": 40, "classes": 4, "noise": 0.6,
             "regime": {"label_noise": 0.1}},
    "model": ["flatten", {"type": "dense", "units": 16, "activation": "relu"}, {"type": "dense", "units": 4}],
    "optimizer": {"type": "sgd", "learning_rate": 0.05}, "duration": {"epochs": 2}})");
  const auto run = folder.path("r");
  const auto trained = run_command({"train", file, "--run-dir", run, "--quiet"});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  REQUIRE(run_command({"ledger", run, "--top", "3"}).code == 0);
  const auto page = text_of(run + "/ledger.html");
  CHECK(page.find("data:image/png;base64,") != std::string::npos);
  CHECK(page.find("<code>") == std::string::npos);
  const auto suspects = lines_of(text_of(run + "/suspects.csv"));
  CHECK(suspects.size() <= 21); // the most doubtful tenth
  CHECK(suspects.size() > 5);
}

TEST_CASE("evaluate, export and predict do not change a run's files") {
  const auto& run = trained_run::small();
  const auto snapshot = [&] {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(run.directory()))
      if (entry.is_regular_file())
        out.emplace_back(entry.path().string(), text_of(entry.path().string()));
    std::sort(out.begin(), out.end());
    return out;
  };
  const scratch_folder folder;
  const auto before = snapshot();
  const auto in = folder.file("in.csv", "1,2,3,4\n");
  CHECK(run_command({"evaluate", run.directory()}).code == 0);
  CHECK(run_command({"inspect", run.directory()}).code == 0);
  CHECK(run_command({"export", run.directory(), "--output", folder.path("m.safetensors")}).code == 0);
  CHECK(run_command({"predict", run.directory(), "--input", in, "--output", folder.path("o.csv")}).code == 0);
  CHECK(run_command({"ledger", run.directory(), "--output-dir", folder.path("l")}).code == 0);
  CHECK(snapshot() == before);
}

TEST_CASE("libsvm: new samples are numbered as the training data, from 0 or from 1, and may lack labels") {
  for (const int first : {0, 1}) {
    CAPTURE(first);
    const scratch_folder folder;
    const auto sample = [&](double a, double b, double c) {
      std::string out;
      int index = first;
      for (const double v : {a, b, c}) {
        if (v != 0.0)
          out += (out.empty() ? "" : " ") + std::to_string(index) + ":" + std::to_string(v);
        ++index;
      }
      return out;
    };
    std::string rows;
    for (int i = 0; i < 150; ++i) {
      const int kind = i % 3;
      rows += std::to_string(kind) + " " + sample(kind == 0, kind == 1, 0.5 + 0.001 * i * (kind == 2)) + "\n";
    }
    const auto data = folder.file("a1a", rows);
    const auto file = folder.file("run.json", R"({"data": {"format": "libsvm", "path": ")" + data + R"("},
      "model": [{"type": "dense", "units": 3}], "optimizer": {"type": "sgd", "learning_rate": 0.2},
      "duration": {"epochs": 5}})");
    const auto run = folder.path("r");
    REQUIRE(run_command({"train", file, "--run-dir", run, "--quiet"}).code == 0);
    const auto predict = [&](const std::string& name, const std::string& text) {
      const auto out = folder.path("out.csv");
      const auto s = run_command({"predict", run, "--input", folder.file(name, text), "--output", out});
      CHECK_MESSAGE(s.code == 0, s.err);
      return text_of(out);
    };
    const auto expected = predict("in.csv", "1,0,0.25\n0,3,0\n0,0,0.75\n");
    CHECK(lines_of(expected).size() == 4);
    const std::string one = sample(1, 0, 0.25);
    const std::string two = sample(0, 3, 0);
    const std::string three = sample(0, 0, 0.75);
    CHECK(predict("a1a.t", fmt::format("{}\n{}\n{}\n", one, two, three)) == expected);
    CHECK(predict("in.svm", fmt::format("2 {}\n0 {}\n9 {}\n", one, two, three)) == expected);
    check_refused(
        run_command({"predict", run, "--input", folder.file("far.svm", std::to_string(first + 3) + ":1"),
                     "--output", folder.path("far.csv")}),
        3, {"far.svm, line 1", fmt::format("features {} to {}", first, first + 2)});
  }
}

TEST_CASE("tsv: predict reads a .txt file with tabs, as training did") {
  const scratch_folder folder;
  std::string rows;
  for (int i = 0; i < 100; ++i)
    rows += fmt::format("{}\t{}\t{}\n", i % 2, 0.01 * i, i % 2 == 0 ? "even" : "odd");
  const auto file = folder.file("run.json", R"({
    "data": {"format": "tsv", "path": ")" + folder.file("data.txt", rows) +
                                                R"("},
    "model": [{"type": "dense", "units": 2}], "optimizer": "sgd", "duration": {"epochs": 1}})");
  const auto run = folder.path("r");
  const auto trained = run_command({"train", file, "--run-dir", run, "--quiet"});
  REQUIRE_MESSAGE(trained.code == 0, trained.err);
  const auto s = run_command({"predict", run, "--input", folder.file("in.txt", "0\t0.5\n1\t0.25\n"),
                              "--output", folder.path("out.csv")});
  CHECK_MESSAGE(s.code == 0, s.err);
  CHECK(lines_of(text_of(folder.path("out.csv"))).size() == 3);
}
