#include "command_support.hpp"

// What `triage check` says before anything is trained.

using namespace triage;
using namespace triage::test;

TEST_CASE("check: a batch is not larger than the training set") {
  const scratch_folder folder;
  const auto file = folder.file("run.json", small_run_text);
  const auto s = run_command({"check", file, "--set", "batch_size=1000"});
  REQUIRE_MESSAGE(s.code == 0, s.err);
  CHECK_MESSAGE(s.out.find("one step of 300 samples takes") != std::string::npos, s.out);
  CHECK(run_command({"check", file}).out.find("one step of 16 samples takes") != std::string::npos);
}

TEST_CASE("check: batches of one do without batch_norm where that sees one value of each sample") {
  const scratch_folder folder;
  const auto problem = [&](const std::string& before) {
    const auto file = folder.file("run.json", R"({
      "data": {"format": "synthetic", "kind": "images", "train_size": 40, "test_size": 10, "classes": 3},
      "model": [)" + before + R"(, "batch_norm", "flatten", {"type": "dense", "units": 3}],
      "optimizer": "sgd", "sampling": "uniform", "batch_size": 1, "duration": {"epochs": 1}})");
    return run_command({"check", file});
  };
  check_refused(problem(R"("flatten", {"type": "dense", "units": 4})"), 2, {"/batch_size", "layer_norm"});
  check_refused(problem(R"({"type": "conv2d", "filters": 4}, "global_avg_pool")"), 2, {"/batch_size"});
  const auto planes = problem(R"({"type": "conv2d", "filters": 4})");
  CHECK_MESSAGE(planes.code == 0, planes.err);
}
