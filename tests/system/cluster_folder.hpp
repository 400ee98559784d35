#pragma once

#include "cluster_support.hpp"

#include "../actors/run_support.hpp"
#include "core/json.hpp"

#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace triage::test {

/// A small run for several processes.
constexpr const char* cluster_description = R"({
  "name": "cluster",
  "data": {"format": "synthetic", "kind": "blobs", "train_size": 6400, "test_size": 500, "features": 64, "classes": 5},
  "model": [{"type": "dense", "units": 64, "activation": "relu"}, {"type": "dense", "units": 5}],
  "optimizer": {"type": "sgd", "learning_rate": 0.05, "momentum": 0.9},
  "batch_size": 32, "duration": {"epochs": 1}, "evaluation": {"every_epochs": 0},
  "sampling": {"type": "uniform"}})";

/// The records of a run's metrics.
inline std::vector<json_value> metrics_of(const std::string& run) {
  std::vector<json_value> records;
  std::istringstream lines(file_text(run + "/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    auto record = parse_json(line, "metrics");
    REQUIRE_MESSAGE(record.ok(), line);
    records.push_back(record.take());
  }
  return records;
}

/// A folder with its description, and processes that work in it.
struct cluster_folder {
  temporary_folder folder;
  std::string file = folder.path("run.json");
  cluster_folder() { write_text(file, cluster_description); }

  std::unique_ptr<process> start(std::vector<std::string> arguments, const std::string& log) const {
    return std::make_unique<process>(std::move(arguments), folder.path(log));
  }
  /// A coordinator without workers of its own.
  std::unique_ptr<process> coordinator(std::vector<std::string> more, const std::string& run) const {
    std::vector<std::string> arguments = {"train",          file,       "--run-dir",
                                          folder.path(run), "--set",    "runtime.workers=0",
                                          "--quiet",        "--listen", "127.0.0.1:0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return start(std::move(arguments), run + ".txt");
  }
  std::string address(const std::string& run) const { return listening_address(folder.path(run + ".txt")); }
  std::string said(const std::string& run) const { return file_text(folder.path(run + ".txt")); }
};

} // namespace triage::test
