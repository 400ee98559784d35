#pragma once

#include "actors/run_records.hpp"
#include "actors/run_setup.hpp"
#include "nn/workspace.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace triage {

/// Loss and accuracy over a set of points.
struct set_figures {
  double loss = 0.0;
  std::optional<double> accuracy;          ///< where the loss has a notion of right
  std::vector<class_count> classes;        ///< with such a loss and classes
  std::optional<double> balanced_accuracy; ///< mean recall of the classes that occur
};

/// Measures parameters on the test set, the validation set and the probe of the training set, without
/// augmentation and dropout. Owned by one thread.
class model_evaluator {
public:
  explicit model_evaluator(std::shared_ptr<const run_setup> setup);

  /// Holds memory for activations only meanwhile: evaluations are rare.
  [[nodiscard]] evaluation_figures evaluate(std::span<const float> parameters);
  /// Over the points `ids` of a set; over all of it when `ids` is empty.
  [[nodiscard]] set_figures measure(std::span<const float> parameters, const dataset& set,
                                    std::span<const std::uint32_t> ids);

private:
  std::shared_ptr<const run_setup> setup_;
  workspace workspace_;
  std::size_t chunk_size_;
  std::vector<std::uint32_t> chunk_;
  std::vector<std::int32_t> labels_;
  std::vector<float> values_;
};

} // namespace triage
