#pragma once

#include "core/dataset.hpp"

#include <cstdint>
#include <vector>

namespace triage {

/// Which fold each training point belongs to: seeded, even within each class. Copies of a point, which follow
/// behind the whole set (see regime_options), go to the same fold.
[[nodiscard]] std::vector<std::uint32_t> make_folds(const dataset& train, std::size_t folds,
                                                    std::size_t duplication, std::uint64_t seed);

} // namespace triage
