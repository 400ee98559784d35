#pragma once

#include "sampling/priority_table.hpp"

#include <algorithm>
#include <vector>

namespace triage {

/// The priorities as a selector sees them when it plans: as they are expected to be at this version, never
/// above the largest that was measured. Borrows the table.
class priority_view {
public:
  priority_view(const priority_table& table, std::uint64_t version)
      : table_(table), version_(version), extrapolates_(table.extrapolates()),
        ceiling_(extrapolates_ ? table.highest() : 0.0F) {}

  [[nodiscard]] const priority_table& table() const { return table_; }
  [[nodiscard]] std::size_t size() const { return table_.size(); }
  [[nodiscard]] bool seen(std::uint32_t id) const { return table_.seen(id); }
  /// Of either sign.
  [[nodiscard]] float rank(std::uint32_t id) const {
    return extrapolates_ ? table_.predicted(id, version_, ceiling_) : table_.signed_value(id);
  }
  /// For probabilities: at least the table's floor.
  [[nodiscard]] float weight(std::uint32_t id) const { return std::max(rank(id), table_.floor()); }

  /// A fixed stride of at most 4096 of the points that were measured; empty when that is less than half.
  [[nodiscard]] std::vector<double> sample() const {
    std::vector<double> values;
    sample(values);
    return values;
  }
  /// The same into memory that is used again.
  void sample(std::vector<double>& values) const {
    constexpr std::size_t most = 4096;
    const std::size_t stride = std::max<std::size_t>((size() + most - 1) / most, 1);
    values.clear();
    std::size_t looked_at = 0;
    for (std::size_t id = 0; id < size(); id += stride, ++looked_at)
      if (seen(static_cast<std::uint32_t>(id)))
        values.push_back(static_cast<double>(weight(static_cast<std::uint32_t>(id))));
    if (2 * values.size() < looked_at)
      values.clear();
  }

private:
  const priority_table& table_;
  std::uint64_t version_;
  bool extrapolates_;
  float ceiling_;
};

} // namespace triage
