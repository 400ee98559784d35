#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// Weights with O(log n) update and O(log n) draw in proportion. Sums are doubles and always those of the
/// present children, so rounding does not accumulate over updates. Owned by one thread.
class sum_tree {
public:
  explicit sum_tree(std::size_t size);
  void assign(std::span<const double> weights);
  /// Precondition: weight is finite and not negative.
  void set(std::size_t index, double weight);
  [[nodiscard]] double weight(std::size_t index) const;
  [[nodiscard]] double total() const;
  [[nodiscard]] std::size_t size() const { return size_; }
  /// The index whose interval of the cumulative sum holds `mass`, for mass in [0, total()). Never returns an
  /// index of weight 0 unless all weights are 0 (then: an index by position, i.e. uniform).
  [[nodiscard]] std::size_t find(double mass) const;

private:
  void rebuild();
  std::size_t size_;
  std::size_t leaves_;
  std::vector<double> nodes_;
};

} // namespace triage
