#pragma once

#include "sampling/predictor.hpp"

namespace triage {

std::unique_ptr<predictor> make_keep();
std::unique_ptr<predictor> make_exp_linear();
std::unique_ptr<predictor> make_exp_quadratic();
std::unique_ptr<predictor> make_ema();

/// log(now / before), and 0 where one of them is not positive: a sign change says nothing about a rate.
[[nodiscard]] double log_ratio(float before, float now);
/// Reads `count` arrays of one value a point.
[[nodiscard]] result<std::vector<float>> get_per_point(const saved_state& state, std::string_view name,
                                                       std::size_t points);
/// An extrapolation stops here: a rising priority that nobody looks at again would otherwise explode
/// (ALGORITHMS 1.5, P7).
inline constexpr double deepest_fall = -5.0;
inline constexpr double highest_rise = 1.0;

} // namespace triage
