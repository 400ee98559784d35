#pragma once

#include "core/rng.hpp"
#include "core/signals.hpp"
#include "nn/loss.hpp"
#include "nn/network.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace triage {

/// Runs a network: holds compiled kernels, activations and scratch memory for the batch sizes it has seen.
/// Belongs to one thread. Allocates only when a batch size is used for the first time.
class workspace {
public:
  explicit workspace(std::shared_ptr<const network> net);
  ~workspace();
  workspace(workspace&&) noexcept;
  workspace& operator=(workspace&&) noexcept;

  /// Compiles for training on batches of this size, which otherwise happens in the first pass.
  void prepare_training(std::int64_t batch);

  /// Where to put the batch before a pass: batch * input size floats, NCHW. Valid until the next call with
  /// another batch size.
  [[nodiscard]] std::span<float> input(std::int64_t batch);

  /// Inference: dropout off, batch_norm with its running statistics. Returns batch x output_width raw
  /// outputs, valid until the next pass. A sample's output does not depend on the rest of the batch.
  std::span<const float> infer(std::span<const float> parameters, std::int64_t batch);

  /// Forward in training mode, loss, and backward. `weights` (one per sample; empty = all 1) multiply each
  /// sample's loss; the gradient of sum_i weights_i * loss_i / batch is written over `gradient` (the whole
  /// block: statistics carry this batch's observed values, gaps are zero). `random` drives dropout.
  /// Returns the outputs' signals; spans are valid until the next pass.
  sample_signals train(std::span<const float> parameters, std::int64_t batch, const batch_targets& targets,
                       std::span<const float> weights, const loss_function& loss, signal_set wanted,
                       rng& random, std::span<float> gradient);

  /// Forward only, inference mode, and the signals of each sample.
  sample_signals measure(std::span<const float> parameters, std::int64_t batch, const batch_targets& targets,
                         const loss_function& loss, signal_set wanted);

  /// STUB
  sample_signals measure_gradients(std::span<const float> parameters, std::int64_t batch,
                                   const batch_targets& targets, const loss_function& loss, signal_set wanted,
                                   std::span<const float> direction, std::span<float> gradient);

  /// For each layer, the largest value in its input in the last pass.
  [[nodiscard]] std::vector<float> input_ranges() const;
  /// The raw outputs of the last pass.
  [[nodiscard]] std::span<const float> outputs() const;
  /// Sums the times of the stages into `profile` from now on; null: no more. Borrowed.
  void profile(stage_profile* profile);
  /// Bytes held for activations and scratch.
  [[nodiscard]] std::size_t bytes() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace triage
