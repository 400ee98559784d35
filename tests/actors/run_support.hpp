#pragma once

#include "actors/train.hpp"
#include "core/overrides.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>

namespace triage::test {

/// A run description for small synthetic blobs; `more` holds overrides as for --set.
inline std::shared_ptr<const run_setup> small_run(const std::vector<std::string>& more = {},
                                                  const run_extensions& extensions = {}) {
  auto document = parse_json(R"({
    "data": {"format": "synthetic", "kind": "blobs", "train_size": 512, "test_size": 200, "features": 8, "classes": 4},
    "model": [{"type": "dense", "units": 16, "activation": "relu"}, {"type": "dense", "units": 4}],
    "optimizer": {"type": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    "batch_size": 16, "duration": {"epochs": 3}})",
                             "test");
  REQUIRE(document.ok());
  const auto applied = apply_overrides(*document, more);
  REQUIRE_MESSAGE(applied.ok(), applied.error().message);
  auto setup = prepare_run(*document, "test", extensions);
  REQUIRE_MESSAGE(setup.ok(), setup.error().message);
  return setup.take();
}

inline train_outcome run(const std::shared_ptr<const run_setup>& setup, const train_options& options = {}) {
  auto outcome = train(setup, options);
  REQUIRE_MESSAGE(outcome.ok(), outcome.error().message);
  return outcome.take();
}

/// A folder that disappears with the object.
class temporary_folder {
public:
  temporary_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "triage_run_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  [[nodiscard]] std::string path(const std::string& name = {}) const {
    return name.empty() ? path_ : path_ + "/" + name;
  }

private:
  std::string path_;
};

inline double largest_difference(const blob& a, const blob& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i])));
  return worst;
}

} // namespace triage::test
