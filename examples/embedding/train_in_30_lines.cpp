// Trains from C++: the run description is a string, the result is a value.
#include "actors/train.hpp"

#include <cstdio>

int main() {
  const auto setup = triage::prepare_run_text(R"({
    "data": {"format": "synthetic", "kind": "spirals", "train_size": 4000, "test_size": 500, "classes": 3, "noise": 0.02},
    "model": [{"type": "dense", "units": 64, "activation": "relu"},
              {"type": "dense", "units": 64, "activation": "relu"},
              {"type": "dense", "units": 3}],
    "optimizer": {"type": "adam", "learning_rate": 0.005},
    "schedule": {"type": "cosine"},
    "duration": {"epochs": 40}})");
  if (!setup.ok()) {
    std::fprintf(stderr, "%s\n", setup.error().message.c_str());
    return 1;
  }
  const auto outcome = triage::train(*setup);
  if (!outcome.ok() || !outcome->summary.figures)
    return 1;
  std::printf("%s, test accuracy %.3f\n", to_string(outcome->summary.status).c_str(),
              *outcome->summary.figures->test_accuracy);
  return *outcome->summary.figures->test_accuracy > 0.8 ? 0 : 1;
}
