#pragma once

#include "core/large_allocator.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace triage {

/// Weights with O(log n) update and O(log n) draw in proportion. Every node has sixteen children, which are
/// neighbours in memory: a point costs 4.6 bytes, and an update or a draw touches two cache lines that are
/// likely to be cold. Sums are doubles and always those of the present children, so rounding does not
/// accumulate over updates. Owned by one thread.
class sum_tree {
public:
  explicit sum_tree(std::size_t size);
  void assign(std::span<const float> weights);
  /// Precondition: weight is finite and not negative.
  void set(std::size_t index, float weight);
  [[nodiscard]] float weight(std::size_t index) const { return leaves_[index]; }
  [[nodiscard]] std::span<const float> weights() const { return {leaves_.data(), size_}; }
  [[nodiscard]] double total() const { return levels_.back()[0]; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// The index whose interval of the cumulative sum holds `mass`, for mass in [0, total()). Never returns an
  /// index of weight 0 unless all weights are 0 (then: an index by position, i.e. uniform).
  [[nodiscard]] std::size_t find(double mass) const;
  /// The same for many at once, `masses` becoming scratch memory; hides the latency of memory.
  void find(std::span<double> masses, std::span<std::uint32_t> indices) const;
  /// Asks for the memory that `set(index)` will need.
  void prefetch(std::size_t index) const;

private:
  static constexpr std::size_t fan_out = 16;
  template <class T>
  static std::size_t child_of(const T* children, double& mass);
  void rebuild();

  std::size_t size_;
  large_vector<float> leaves_; ///< padded with zeros to whole groups
  std::vector<std::vector<double>>
      levels_; ///< sums of groups, of groups of groups, …; the last one is the total
};

} // namespace triage
