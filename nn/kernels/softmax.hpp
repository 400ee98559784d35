#pragma once

#include <cstddef>
#include <span>

namespace triage {

/// e^(z_j - max z) over one row, summed in two parts. Keeping one element out of the sum makes 1 - p and
/// log p exact for a row that is almost right, where 1 + small would round the small part away.
struct exponential_sums {
  float max = 0.0F;    ///< the largest element
  float kept = 0.0F;   ///< the term of element `keep_out`
  double others = 0.0; ///< the sum of all other terms
  [[nodiscard]] double total() const { return others + kept; }
};

/// Writes the terms to `terms` (as long as the row, may be the row itself; empty: sums only). A row with NaN
/// or +infinity gives NaN sums. Preconditions: the row is not empty, `keep_out` lies inside.
exponential_sums sum_exponentials(std::span<const float> row, std::size_t keep_out, std::span<float> terms);

/// terms *= factor.
void scale(std::span<float> terms, float factor);

} // namespace triage
