#pragma once

#include "actors/run_records.hpp"
#include "actors/run_setup.hpp"
#include "nn/workspace.hpp"

#include <memory>
#include <vector>

namespace triage {

/// Measures the scores of points from a snapshot. The estimator's plain class; owned by one thread.
class point_scorer {
public:
  explicit point_scorer(std::shared_ptr<const run_setup> setup);
  /// May throw what components throw.
  [[nodiscard]] std::vector<float> measure(const snapshot& at, std::span<const std::uint32_t> ids);

private:
  std::shared_ptr<const run_setup> setup_;
  workspace workspace_;
  std::vector<std::int32_t> labels_;
  std::vector<float> values_;
};

} // namespace triage
