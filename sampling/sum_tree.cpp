#include "sampling/sum_tree.hpp"

#include <algorithm>
#include <array>

namespace triage {

namespace {

std::size_t groups_of(std::size_t n, std::size_t fan_out) {
  return (n + fan_out - 1) / fan_out;
}

/// Sum of sixteen neighbours, in a fixed order that vectorises.
template <class T>
double sum_group(const T* children) {
  constexpr std::size_t lanes = 4;
  std::array<double, lanes> sums{};
  for (std::size_t i = 0; i < 16; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l)
      sums[l] += static_cast<double>(children[i + l]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

} // namespace

sum_tree::sum_tree(std::size_t size)
    : size_(size), leaves_(groups_of(std::max<std::size_t>(size, 1), fan_out) * fan_out) {
  for (std::size_t nodes = leaves_.size() / fan_out;; nodes = groups_of(nodes, fan_out)) {
    const bool top = nodes == 1;
    levels_.emplace_back(top ? 1 : groups_of(nodes, fan_out) * fan_out);
    if (top)
      break;
  }
}

void sum_tree::assign(std::span<const float> weights) {
  std::copy(weights.begin(), weights.end(), leaves_.begin());
  rebuild();
}

void sum_tree::rebuild() {
  for (std::size_t i = 0; i < leaves_.size() / fan_out; ++i)
    levels_[0][i] = sum_group(leaves_.data() + i * fan_out);
  for (std::size_t level = 1; level < levels_.size(); ++level)
    for (std::size_t i = 0; i < levels_[level - 1].size() / fan_out; ++i)
      levels_[level][i] = sum_group(levels_[level - 1].data() + i * fan_out);
}

void sum_tree::set(std::size_t index, float weight) {
  // Parents are recomputed from their children, never adjusted by differences: rounding cannot accumulate.
  leaves_[index] = weight;
  std::size_t i = index / fan_out;
  levels_[0][i] = sum_group(leaves_.data() + i * fan_out);
  for (std::size_t level = 1; level < levels_.size(); ++level) {
    i /= fan_out;
    levels_[level][i] = sum_group(levels_[level - 1].data() + i * fan_out);
  }
}

void sum_tree::prefetch(std::size_t index) const {
  __builtin_prefetch(leaves_.data() + index / fan_out * fan_out, 1);
  const double* const group = levels_[0].data() + index / fan_out / fan_out * fan_out;
  if (levels_.size() > 1) {
    __builtin_prefetch(group, 1);
    __builtin_prefetch(group + 8, 1);
  }
}

/// The child whose interval holds `mass`, of which what lies before is taken away. Looks at all children: no
/// branch that a random mass would make unpredictable.
template <class T>
std::size_t sum_tree::child_of(const T* children, double& mass) {
  double sum = 0.0;
  double before = 0.0;
  std::size_t index = 0;
  for (std::size_t i = 0; i < fan_out; ++i) {
    sum += static_cast<double>(children[i]);
    const bool passed = mass >= sum;
    index += passed ? 1 : 0;
    before = passed ? sum : before;
  }
  if (index < fan_out) { // and its weight is positive: an empty interval is passed together with its begin
    mass -= before;
    return index;
  }
  // Rounding has left mass beyond the last positive child.
  do
    --index;
  while (index > 0 && !(children[index] > T{0}));
  mass = 0.5 * static_cast<double>(children[index]);
  return index;
}

std::size_t sum_tree::find(double mass) const {
  std::uint32_t index = 0;
  find({&mass, 1}, {&index, 1});
  return index;
}

void sum_tree::find(std::span<double> masses, std::span<std::uint32_t> indices) const {
  if (!(total() > 0.0)) {
    for (std::size_t i = 0; i < masses.size(); ++i)
      indices[i] =
          static_cast<std::uint32_t>(std::min(static_cast<std::size_t>(std::max(masses[i], 0.0)), size_ - 1));
    return;
  }
  // Level by level for a group of draws: while one waits for memory the others go on.
  constexpr std::size_t together = 32;
  for (std::size_t begin = 0; begin < masses.size(); begin += together) {
    const std::size_t end = std::min(begin + together, masses.size());
    for (std::size_t k = begin; k < end; ++k)
      indices[k] = 0;
    for (std::size_t level = levels_.size() - 1; level > 0; --level) {
      for (std::size_t k = begin; k < end; ++k) {
        const std::size_t group = indices[k] * fan_out;
        const std::size_t at = group + child_of(levels_[level - 1].data() + group, masses[k]);
        indices[k] = static_cast<std::uint32_t>(at);
        const void* const next = level > 1
                                     ? static_cast<const void*>(levels_[level - 2].data() + at * fan_out)
                                     : static_cast<const void*>(leaves_.data() + at * fan_out);
        __builtin_prefetch(next);
        if (level > 1)
          __builtin_prefetch(static_cast<const char*>(next) + 64);
      }
    }
    for (std::size_t k = begin; k < end; ++k) {
      const std::size_t group = indices[k] * fan_out;
      indices[k] = static_cast<std::uint32_t>(group + child_of(leaves_.data() + group, masses[k]));
    }
  }
}

} // namespace triage
