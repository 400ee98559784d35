#pragma once

#include "core/saved_state.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace triage {

/// An estimate with a 95 % interval.
struct estimate {
  double value = 1.0;
  double low = 1.0;
  double high = 1.0;
};

/// Measures what a run's choice of points gains over a uniform one, from the sizes that fall off while
/// training on them: how many times less noisy a step is than a uniform one of the same length. With r how
/// much more often than by chance a point is chosen, w = 1 / r and v the weight that it is given, the second
/// moment of a uniform step is mean(w s^2) / mean(w) over the points chosen, and that of these steps, in
/// units of their length, mean(v^2 s^2) / mean(v)^2. Where v is not in proportion to w, steps are also turned
/// towards some points, which this does not count. The interval is a jackknife over parts of the run (Tukey
/// 1958), so it holds how much the gain varied. Owned by one thread.
class gain_meter {
public:
  /// One batch that was chosen by priorities; `frequencies`: r, up to a factor; `weights`: v; `sizes`: as
  /// measured when it was trained.
  void add(std::span<const float> frequencies, std::span<const float> weights, std::span<const float> sizes);
  /// Of everything so far; nothing before there is enough for an interval.
  [[nodiscard]] std::optional<estimate> gain() const;
  [[nodiscard]] std::uint64_t samples() const { return samples_; }
  /// What the same choices would have gained with unbiased weights, w: what the frequencies are worth on the
  /// sizes as they were found, whatever a recipe makes of them. Of what came since the last answer; nothing
  /// while that is too little.
  [[nodiscard]] std::optional<double> take_offer();

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  static constexpr std::size_t parts = 20;
  struct sums {
    double count = 0.0;
    double inverse = 0.0;  ///< w
    double uniform = 0.0;  ///< w s^2
    double weight = 0.0;   ///< v
    double weighted = 0.0; ///< v^2 s^2
    void operator+=(const sums& o);
    void operator-=(const sums& o);
    [[nodiscard]] double gain() const;
  };
  /// Since the last take_offer.
  struct offer {
    double count = 0.0;
    double inverse = 0.0; ///< w
    double uniform = 0.0; ///< w s^2
    double squared = 0.0; ///< w^2 s^2
  };
  void halve();

  offer offer_;
  std::array<sums, parts> parts_{};
  std::size_t used_ = 0;                  ///< parts with something in them; the last one is being filled
  std::uint64_t samples_per_part_ = 4096; ///< doubled when the parts run out: neighbours are merged
  std::uint64_t samples_ = 0;
};

} // namespace triage
