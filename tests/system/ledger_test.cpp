#include "process.hpp"

#include "../actors/run_support.hpp"
#include "core/npy.hpp"
#include "core/overrides.hpp"

#include <algorithm>
#include <sstream>

using namespace triage;
using namespace triage::test;

namespace {

const char* const images = R"({
  "name": "images",
  "data": {"format": "synthetic", "kind": "images", "train_size": 600, "test_size": 100, "classes": 3,
           "height": 8, "width": 8, "noise": 0.1, "regime": {"label_noise": 0.1}},
  "model": ["flatten", {"type": "dense", "units": 16, "activation": "relu"}, {"type": "dense", "units": 3}],
  "optimizer": {"type": "sgd", "learning_rate": 0.05, "momentum": 0.9},
  "duration": {"epochs": 6}})";

struct prepared {
  temporary_folder folder;
  std::string file = folder.path("run.json");
  std::string log = folder.path("output.txt");
  prepared() { write_text(file, images); }
  finished_process triage(const std::vector<std::string>& arguments) const {
    return run_triage(arguments, log);
  }
};

} // namespace

TEST_CASE("ledger: files and summary of a real run, pictures included") {
  const prepared p;
  const std::string run = p.folder.path("r");
  const auto trained = p.triage({"train", p.file, "--run-dir", run, "--quiet"});
  REQUIRE_MESSAGE(trained.exit_code == 0, trained.output);
  CHECK(file_text(run + "/log.txt").find("prioritization was") != std::string::npos); // the closing account
  const auto made = p.triage({"ledger", run, "--top", "10"});
  REQUIRE_MESSAGE(made.exit_code == 0, made.output);
  CHECK(made.output.find("600 points") != std::string::npos);
  const auto csv = file_text(run + "/ledger.csv");
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 601);
  const auto page = file_text(run + "/ledger.html");
  CHECK(page.find("data:image/png;base64,") != std::string::npos);
  CHECK(page.find("http") == std::string::npos); // self-contained

  const auto elsewhere = p.triage({"ledger", run, "--output-dir", p.folder.path("out")});
  CHECK(elsewhere.exit_code == 0);
  CHECK(std::filesystem::exists(p.folder.path("out/suspects.csv")));
  write_text(p.folder.path("occupied"), "");
  CHECK(p.triage({"ledger", run, "--output-dir", p.folder.path("occupied")}).exit_code != 0);
  CHECK(p.triage({"ledger", p.folder.path("nowhere")}).exit_code != 0);
}

TEST_CASE("ledger: of the labels of Fashion-MNIST that were flipped at 5 %, the first 7.5 % of the suspects "
          "hold 80 %") {
  const temporary_folder folder;
  const std::string run = folder.path("r");
  const std::vector<std::string> options = {"data.regime.subset=0.2", "duration.epochs=4"};
  std::vector<std::string> arguments = {"train", "examples/fashion_mlp.json",   "--run-dir", run, "--quiet",
                                        "--set", "data.regime.label_noise=0.05"};
  for (const auto& o : options)
    arguments.insert(arguments.end(), {"--set", o});
  const auto trained = run_triage(arguments, folder.path("output.txt"));
  REQUIRE_MESSAGE(trained.exit_code == 0, trained.output);
  const auto made = run_triage({"ledger", run}, folder.path("output.txt"));
  REQUIRE_MESSAGE(made.exit_code == 0, made.output);

  auto document = parse_json(file_text(TRIAGE_SOURCE_DIR "/examples/fashion_mlp.json"), "fashion_mlp.json");
  REQUIRE(document.ok());
  REQUIRE(apply_overrides(*document, options).ok());
  const auto clean = prepare_run(*document, "clean");
  REQUIRE(apply_overrides(*document, {"data.regime.label_noise=0.05"}).ok());
  const auto noisy = prepare_run(*document, "noisy");
  REQUIRE(clean.ok());
  REQUIRE(noisy.ok());
  const auto& right = (*clean)->data.train.labels;
  const auto& given = (*noisy)->data.train.labels;
  REQUIRE(right.size() == given.size());
  std::size_t flipped = 0;
  for (std::size_t i = 0; i < right.size(); ++i)
    flipped += right[i] != given[i] ? 1U : 0U;
  REQUIRE(flipped == doctest::Approx(0.05 * static_cast<double>(right.size())).epsilon(0.15));
  std::istringstream suspects(file_text(run + "/suspects.csv"));
  std::string line;
  std::getline(suspects, line);
  REQUIRE(line.starts_with("rank,index,"));
  std::size_t found = 0;
  for (std::size_t i = 0; i < right.size() * 75 / 1000 && std::getline(suspects, line); ++i) {
    const auto id = static_cast<std::size_t>(std::stoul(line.substr(line.find(',') + 1)));
    found += right[id] != given[id] ? 1U : 0U;
  }
  MESSAGE(found << " of " << flipped << " flipped labels found");
  CHECK(10 * found >= 8 * flipped);
}

TEST_CASE("ledger: a run that kept none says how to keep one") {
  const prepared p;
  const std::string run = p.folder.path("r");
  REQUIRE(p.triage({"train", p.file, "--run-dir", run, "--quiet", "--set", "runtime.ledger=false", "--set",
                    "duration.epochs=1"})
              .exit_code == 0);
  const auto made = p.triage({"ledger", run});
  CHECK(made.exit_code == 2);
  CHECK(made.output.find("\"ledger\": true") != std::string::npos);
}

TEST_CASE("irreducible: mislabelled points keep a large loss; the file serves the score rho") {
  const prepared p;
  const std::string file = p.folder.path("il.npy");
  const auto made = p.triage({"irreducible", p.file, "--output", file});
  REQUIRE_MESSAGE(made.exit_code == 0, made.output);
  const auto array = read_npy(file);
  REQUIRE(array.ok());
  const auto& losses = std::get<std::vector<float>>(array->values);
  REQUIRE(losses.size() == 600);

  auto document = parse_json(images, "run");
  const auto noisy = prepare_run(*document, "run");
  REQUIRE(apply_overrides(*document, {"data.regime.label_noise=0"}).ok());
  const auto clean = prepare_run(*document, "run");
  double of_flipped = 0.0;
  double of_clean = 0.0;
  for (std::size_t i = 0; i < 600; ++i)
    ((*noisy)->data.train.labels[i] != (*clean)->data.train.labels[i] ? of_flipped : of_clean) +=
        static_cast<double>(losses[i]);
  CHECK(of_flipped / 60.0 > 5.0 * of_clean / 540.0);

  const auto again = p.triage({"irreducible", p.file, "--output", p.folder.path("il2.npy")});
  CHECK(again.exit_code == 0);
  CHECK(file_text(file) == file_text(p.folder.path("il2.npy")));

  const std::string sampling =
      R"(sampling={"type":"rho_loss","score":{"type":"rho","irreducible_losses":")" + file + "\"}}";
  CHECK(p.triage({"train", p.file, "--run-dir", p.folder.path("rho"), "--quiet", "--set", sampling})
            .exit_code == 0);
  const auto misfit = p.triage({"train", p.file, "--run-dir", p.folder.path("bad"), "--set", sampling,
                                "--set", "data.regime.subset=0.5"});
  CHECK(misfit.exit_code == 3);
  CHECK(misfit.output.find("holds 600") != std::string::npos);
  CHECK(p.triage({"irreducible", p.file, "--output", file, "--folds", "1"}).exit_code == 2);
  CHECK(p.triage({"train", p.file, "--set", "sampling=rho_loss"}).exit_code == 2);
}
