#pragma once

#include <span>
#include <string>
#include <string_view>

namespace triage {

/// The figures of an evaluation that a race can be about.
[[nodiscard]] std::span<const std::string_view> race_metrics();

/// Accuracies are better when higher, losses when lower.
[[nodiscard]] bool is_rising(std::string_view metric);
/// Whether `a` is at least as good as `b`.
[[nodiscard]] bool at_least_as_good(std::string_view metric, double a, double b);
/// What a run that failed counts as: worse than every number.
[[nodiscard]] double worst_value(std::string_view metric);
/// "test_accuracy" -> "test accuracy".
[[nodiscard]] std::string readable(std::string_view metric);

} // namespace triage
