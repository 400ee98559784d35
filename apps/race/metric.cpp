#include "apps/race/metric.hpp"

#include "actors/run_records.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace triage {

namespace {
constexpr std::array<std::string_view, 8> names = {
    "train_loss", "train_accuracy", "validation_loss",        "validation_accuracy",
    "test_loss",  "test_accuracy",  "test_balanced_accuracy", "validation_balanced_accuracy"};
}

std::span<const std::string_view> race_metrics() {
  return names;
}

bool is_rising(std::string_view metric) {
  return grows_better(metric);
}

bool at_least_as_good(std::string_view metric, double a, double b) {
  return is_rising(metric) ? a >= b : a <= b;
}

double worst_value(std::string_view metric) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return is_rising(metric) ? -infinity : infinity;
}

std::string readable(std::string_view metric) {
  std::string out(metric);
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

} // namespace triage
