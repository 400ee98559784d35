#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace triage {

/// Adam's running means begin at zero; after `step` updates they are too small by these factors.
struct adam_correction {
  double mean;   ///< 1 / (1 - beta1^step), a factor on the learning rate
  double square; ///< 1 / sqrt(1 - beta2^step), on the root

  adam_correction(double beta1, double beta2, std::int64_t step) {
    const auto n = static_cast<double>(std::max<std::int64_t>(step, 1));
    mean = 1.0 / (1.0 - std::pow(beta1, n));
    square = 1.0 / std::sqrt(1.0 - std::pow(beta2, n));
  }
};

} // namespace triage
