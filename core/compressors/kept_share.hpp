#pragma once

#include "core/options.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace triage {

/// How many of a block's values are sent: a share that comes down to what is asked for over the first rounds,
/// in which most is still to be learned.
class kept_share {
public:
  void visit(option_visitor& v) {
    v.field({.name = "ratio", .doc = "share of the values that is sent", .min = 1e-6, .max = 1.0}, ratio_);
    v.field({.name = "warmup_rounds",
             .doc = "rounds in which the share falls from 1 to the ratio, by the same factor each",
             .min = 0,
             .max = 1e6},
            warmup_rounds_);
  }
  [[nodiscard]] double ratio(std::uint64_t round) const {
    const auto n = static_cast<std::uint64_t>(warmup_rounds_);
    return round >= n ? ratio_ : std::pow(ratio_, static_cast<double>(round) / static_cast<double>(n));
  }
  /// At least one.
  [[nodiscard]] std::size_t count(std::size_t floats, std::uint64_t round) const {
    const auto n = static_cast<std::size_t>(std::ceil(ratio(round) * static_cast<double>(floats)));
    return std::clamp<std::size_t>(n, std::min<std::size_t>(floats, 1), floats);
  }

private:
  double ratio_ = 0.01;
  std::int64_t warmup_rounds_ = 5;
};

} // namespace triage
