#pragma once

#include "actors/layer_recorder.hpp"
#include "actors/run_records.hpp"
#include "actors/run_setup.hpp"
#include "nn/workspace.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace triage {

/// A part of a gradient smaller than this, in floats, waits for more, unless it is the last.
inline constexpr std::size_t smallest_gradient_part = 16384;

/// Turns train orders into results: gathers and augments the batch, runs the network, measures the by-product
/// scores. The worker's plain class; owned by one thread. Random streams depend on seed and lease only, so a
/// batch gives the same gradient whoever computes it.
class batch_trainer {
public:
  explicit batch_trainer(std::shared_ptr<const run_setup> setup);

  /// May throw std::bad_alloc, what components throw, and what waiting for parameters throws. `member` and
  /// `busy_seconds` are left to the caller. `parts`: told on the way, for every few hundred kilobytes of the
  /// gradient that are final; not when anything is not finite.
  using part_sink = std::function<void(const gradient_part&)>;
  [[nodiscard]] train_result train(const train_order& order, const part_sink& parts = nullptr);
  /// The same for one batch. `stream` numbers its random streams, and is the lease of the result.
  [[nodiscard]] train_result train(const snapshot& base, const drawn_batch& drawn, std::uint64_t stream,
                                   const part_sink& parts = nullptr);
  /// A step that counts for nothing: some of oneDNN's kernels are made when they are first used, which takes
  /// up to a tenth of a second.
  void warm_up();
  /// From now on passes say when each layer was computed; null: no more. Borrowed.
  void record(layer_recorder* recorder) { recorder_ = recorder; }
  /// For benchmarks.
  [[nodiscard]] workspace& compute() { return workspace_; }

private:
  /// With those of the classes.
  [[nodiscard]] std::span<const float> weights_of(const drawn_batch& drawn);

  std::shared_ptr<const run_setup> setup_;
  workspace workspace_;
  std::vector<std::unique_ptr<augmentation>> augmentations_;
  blob_pool gradients_;
  layer_recorder* recorder_ = nullptr;
  signal_set wanted_;
  std::vector<std::int32_t> labels_;
  std::vector<float> values_;
  std::vector<float> weights_;
};

/// The targets of points, gathered into buffers that are reused.
[[nodiscard]] batch_targets gather_targets(const dataset& set, std::span<const std::uint32_t> ids,
                                           std::vector<std::int32_t>& labels, std::vector<float>& values);

} // namespace triage
