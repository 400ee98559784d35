#pragma once

#include "process.hpp"

#include "../actors/run_support.hpp"
#include "core/files.hpp"

namespace triage::test {

inline const char* const small_description = R"({
  "name": "small",
  "data": {"format": "synthetic", "kind": "blobs", "train_size": 4000, "test_size": 500, "features": 16, "classes": 5},
  "model": [{"type": "dense", "units": 32, "activation": "relu"}, {"type": "dense", "units": 5}],
  "optimizer": {"type": "sgd", "learning_rate": 0.05, "momentum": 0.9},
  "sampling": {"type": "pps_epoch", "estimator": "byproduct"},
  "batch_size": 16, "duration": {"epochs": 12},
  "checkpoint": {"every_epochs": 0.25, "keep": 2}})";

/// A folder that disappears, with a run description in it.
struct folder_with_description {
  temporary_folder folder;
  std::string file;
  std::string log;
  explicit folder_with_description(const std::string& text = small_description)
      : file(folder.path("run.json")), log(folder.path("output.txt")) {
    write_text(file, text);
  }
  finished_process triage(const std::vector<std::string>& arguments,
                          const std::function<void()>& in_child = {}) const {
    return run_triage(arguments, log, in_child);
  }
};

inline std::string newest_model(const std::string& run) {
  const auto all = list_checkpoints(run + "/checkpoints");
  return all.empty() ? "" : file_text(all.front() + "/model.safetensors");
}

} // namespace triage::test
