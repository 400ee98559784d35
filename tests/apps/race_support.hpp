#pragma once

#include "apps/race/outcome.hpp"
#include "tests/support/json_text.hpp"

#include <string>

namespace triage::test {

inline const char* const small_base = R"({
  "data": {"format": "synthetic", "kind": "blobs", "train_size": 100, "test_size": 20},
  "model": [{"type": "dense", "units": 3}],
  "optimizer": {"type": "sgd", "learning_rate": 0.1},
  "sampling": {"type": "uniform"}})";

/// A specification with two tuned arms and a third that takes over the first one's choice; `arms` and `more`
/// replace and add members.
inline std::string spec_text(const std::string& more = "", const std::string& arms = "") {
  return std::string("{\"name\": \"r\", \"base\": ") + small_base +
         ",\n\"seeds\": [1, 2], \"tuning\": {\"seeds\": [101, 102]},\n\"arms\": " +
         (arms.empty() ? R"([
  {"name": "plain", "grid": {"optimizer.learning_rate": [0.1, 0.2], "batch_size": [8, 16]}},
  {"name": "pps", "set": {"sampling.type": "pps_epoch", "duration.epochs": 7.5}, "grid": {"optimizer.learning_rate": [0.3, 0.4]}},
  {"name": "follower", "set": {"sampling": "pps_epoch"}, "grid_of": "plain"}])"
                       : arms) +
         ",\n\"targets\": [{\"metric\": \"train_loss\", \"value\": 0.5}]" + more + "}";
}

inline race_spec small_spec(const std::string& more = "", const std::string& arms = "") {
  auto spec = read_race_spec(json_text(spec_text(more, arms)), "race.json");
  REQUIRE_MESSAGE(spec.ok(), (spec.ok() ? "" : spec.error().message));
  return spec.take();
}

/// A curve with one evaluation a second, each of 100 samples and half a second of computing.
inline curve curve_of(const std::string& metric, const std::vector<double>& values) {
  curve out;
  for (const double v : values) {
    evaluation_point p;
    const auto n = static_cast<double>(out.size() + 1);
    p.epoch = n;
    p.seconds = n;
    p.samples = 100.0 * n;
    p.compute_seconds = 0.5 * n;
    p.figures.emplace_back(metric, v);
    out.push_back(std::move(p));
  }
  return out;
}

inline run_result run_of(std::int64_t seed, const std::string& metric, const std::vector<double>& values) {
  run_result run;
  run.seed = seed;
  run.points = curve_of(metric, values);
  run.train_seconds = static_cast<double>(values.size());
  run.data_fingerprint = "data";
  return run;
}

} // namespace triage::test
