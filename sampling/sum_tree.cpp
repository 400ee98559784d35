#include "sampling/sum_tree.hpp"

#include <algorithm>
#include <bit>

namespace triage {

sum_tree::sum_tree(std::size_t size)
    : size_(size), leaves_(std::bit_ceil(std::max<std::size_t>(size, 1))), nodes_(2 * leaves_, 0.0) {}

void sum_tree::assign(std::span<const double> weights) {
  std::copy(weights.begin(), weights.end(), nodes_.begin() + static_cast<std::ptrdiff_t>(leaves_));
  rebuild();
}

void sum_tree::rebuild() {
  for (std::size_t i = leaves_ - 1; i > 0; --i)
    nodes_[i] = nodes_[2 * i] + nodes_[2 * i + 1];
}

void sum_tree::set(std::size_t index, double weight) {
  // Parents are recomputed from their children, never adjusted by differences: rounding cannot accumulate.
  std::size_t i = leaves_ + index;
  nodes_[i] = weight;
  for (i /= 2; i > 0; i /= 2)
    nodes_[i] = nodes_[2 * i] + nodes_[2 * i + 1];
}

double sum_tree::weight(std::size_t index) const {
  return nodes_[leaves_ + index];
}

double sum_tree::total() const {
  return nodes_[1];
}

std::size_t sum_tree::find(double mass) const {
  if (!(total() > 0.0))
    return std::min(static_cast<std::size_t>(std::max(mass, 0.0)), size_ - 1);
  std::size_t i = 1;
  while (i < leaves_) {
    i *= 2;
    // Rounding may leave mass beyond the last positive leaf: never step into an empty subtree.
    if (nodes_[i + 1] > 0.0 && (mass >= nodes_[i] || !(nodes_[i] > 0.0))) {
      mass -= nodes_[i];
      ++i;
    }
  }
  return i - leaves_;
}

} // namespace triage
