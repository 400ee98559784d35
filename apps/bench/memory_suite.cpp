#include "apps/bench/models.hpp"
#include "apps/bench/suites.hpp"
#include "apps/processes/child_process.hpp"
#include "core/files.hpp"
#include "core/json.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <stdexcept>
#include <unistd.h>

namespace triage {

namespace {

namespace fs = std::filesystem;

/// A folder of its own, gone in the end.
class scratch_folder {
public:
  scratch_folder() : path_(fs::temp_directory_path() / fmt::format("triage-memory-{}", getpid())) {
    fs::create_directories(path_);
  }
  ~scratch_folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  [[nodiscard]] std::string at(const std::string& name) const { return (path_ / name).string(); }

private:
  fs::path path_;
};

struct subject {
  const char* model;
  int workers;
  int estimators;
};

/// A whole `triage train` in a process of its own, evaluation and checkpoints included.
double peak_of_run(const subject& s, const scratch_folder& folder) {
  const std::string file = folder.at("run.json");
  const std::string run = folder.at("run");
  fs::remove_all(run);
  const auto written = write_file_atomic(file, fmt::format(R"({{"schema_version": 1, "name": "memory",{},
  "optimizer": {{"type": "sgd", "learning_rate": 0.001, "momentum": 0.9, "nesterov": true}},
  "batch_size": 64, "duration": {{"epochs": 1}}, "sampling": {{"type": "{}"}},
  "runtime": {{"workers": {}, "estimators": {}}}}})",
                                                           find_bench_model(s.model).description,
                                                           s.estimators > 0 ? "multinomial" : "uniform",
                                                           s.workers, s.estimators));
  if (!written.ok())
    throw std::runtime_error(written.error().message);
  auto child = child_process::start(
      {.arguments = {"train", file, "--run-dir", run, "--quiet"}, .output_file = folder.at("output")});
  if (!child.ok())
    throw std::runtime_error(child.error().message);
  constexpr double longest_run = 600.0;
  if (child->wait(longest_run) != 0)
    throw std::runtime_error("the run whose memory was to be measured did not end well");
  const auto summary = read_json_file(run + "/summary.json");
  if (!summary.ok())
    throw std::runtime_error(summary.error().message);
  const json_value* peak = summary->find("peak_memory_bytes");
  if (peak == nullptr || peak->is_null())
    throw std::runtime_error("this system does not say how much memory a process took");
  return static_cast<double>(peak->as_integer());
}

} // namespace

void bench_memory(const bench_options& options, bench_report& report) {
  constexpr double megabyte = 1e6;
  constexpr double allowance = 64.0; ///< for the program, activations and the libraries
  const scratch_folder folder;
  for (const auto& s : {subject{"mlp", 1, 0}, subject{"mlp", 2, 0}, subject{"mlp", 1, 1},
                        subject{"cnn", 1, 0}, subject{"cnn", 1, 1}}) {
    if (!options.wants(s.model, 64))
      continue;
    const auto setup = make_bench_setup(s.model, 64);
    const auto stored = setup->data.train.stored_bytes() + setup->data.test.stored_bytes() +
                        setup->data.validation.stored_bytes();
    const auto parameters = static_cast<double>(setup->net->parameters().size());
    const double allowed =
        static_cast<double>(stored) / megabyte + 12.0 * parameters * (s.workers + 1) / megabyte + allowance;
    series peaks;
    for (int round = 0; round < std::min(options.rounds, 3); ++round)
      peaks.values.push_back(peak_of_run(s, folder) / megabyte);
    report.add(
        {fmt::format("{}, {} worker(s), {} estimator(s): peak of a run", s.model, s.workers, s.estimators),
         "MB", peaks, allowed, true});
  }
}

} // namespace triage
