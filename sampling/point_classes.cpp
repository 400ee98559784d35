#include "sampling/point_classes.hpp"

namespace triage {

std::vector<double> point_classes::shares() const {
  std::vector<double> shares(classes, 0.0);
  for (const auto label : labels)
    shares[static_cast<std::size_t>(label)] += 1.0 / static_cast<double>(labels.size());
  return shares;
}

} // namespace triage
