#include "sampling/computed_order.hpp"

#include "core/mix.hpp"
#include "core/multiversion.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

/// digit + something below `range` that depends on the other digit, modulo `range`.
TRIAGE_INLINE std::uint32_t turn(std::uint32_t digit, std::uint32_t other, std::uint32_t key,
                                 std::uint32_t range) {
  const auto by = static_cast<std::uint32_t>(std::uint64_t{mix(other ^ key)} * range >> 32U);
  const std::uint32_t sum = digit + by;
  return sum >= range ? sum - range : sum;
}

/// The images of the numbers row * columns + column, for `count` columns from `first` on.
TRIAGE_MULTIVERSION void permute_row(const std::uint32_t* keys, std::uint32_t rows, std::uint32_t columns,
                                     std::uint32_t row, std::uint32_t first, std::size_t count,
                                     std::uint32_t* out) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t high = row;
    std::uint32_t low = first + static_cast<std::uint32_t>(i);
    const auto two_rounds = [&](std::size_t k) {
      high = turn(high, low, keys[k], rows);
      low = turn(low, high, keys[k + 1], columns);
    };
    two_rounds(0);
    two_rounds(2);
    two_rounds(4);
    two_rounds(6);
    two_rounds(8);
    out[i] = high * columns + low;
  }
}

} // namespace

computed_order::computed_order(std::size_t points, std::uint64_t key)
    : points_(static_cast<std::uint32_t>(points)), key_(key) {
  rows_ = static_cast<std::uint32_t>(std::ceil(std::sqrt(static_cast<double>(points))));
  columns_ = static_cast<std::uint32_t>((points + rows_ - 1) / rows_);
  rng keys(key, 0);
  keys.fill(round_keys_);
}

bool computed_order::go_to(std::uint64_t place, std::uint64_t taken) {
  const std::uint64_t no_points = range() - points_;
  place_ = place;
  return place <= range() && taken <= place && place - taken <= no_points;
}

void computed_order::take(std::span<std::uint32_t> out) {
  std::array<std::uint32_t, 1024> images;
  std::size_t taken = 0;
  while (taken < out.size()) {
    const auto row = static_cast<std::uint32_t>(place_ / columns_);
    const auto column = static_cast<std::uint32_t>(place_ % columns_);
    // No more than are wanted: what is computed is either taken or no point.
    const std::size_t count =
        std::min({images.size(), out.size() - taken, static_cast<std::size_t>(columns_ - column)});
    permute_row(round_keys_.data(), rows_, columns_, row, column, count, images.data());
    place_ += count;
    for (std::size_t i = 0; i < count; ++i) {
      out[taken] = images[i]; // overwritten by the next one if it is no point
      taken += images[i] < points_ ? 1U : 0U;
    }
  }
}

} // namespace triage
