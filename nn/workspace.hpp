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

/// float32, or bfloat16 for what dense and convolution layers multiply: inputs, weights and output gradients
/// are rounded to 8 bits of mantissa; sums, activations between layers, gradients and parameters stay float32
/// (Kalamkar et al. 2019, arXiv 1905.12322).
enum class precision : std::uint8_t { float32, bfloat16 };

/// Runs a network: holds kernels compiled for the batch sizes it has seen, and one block of memory for the
/// activations and scratch memory of any of them. Belongs to one thread. Allocates only when a batch size is
/// used for the first time.
class workspace {
public:
  /// `training`: what passes of `train` and `measure_gradients` may multiply in; see precision.
  explicit workspace(std::shared_ptr<const network> net, precision training = precision::float32);
  ~workspace();
  workspace(workspace&&) noexcept;
  workspace& operator=(workspace&&) noexcept;

  /// Compiles for training on batches of this size with these by-products, which otherwise happens in the
  /// first pass.
  void prepare_training(std::int64_t batch, signal_set wanted = 0);

  /// Where to put the batch before a pass: batch * input size floats, NCHW. One place for all batch sizes;
  /// valid until the next call with another one.
  [[nodiscard]] std::span<float> input(std::int64_t batch);

  /// Inference: dropout off, batch_norm with its running statistics. Returns batch x output_width raw
  /// outputs, valid until the next pass. A sample's output does not depend on the rest of the batch.
  std::span<const float> infer(std::span<const float> parameters, std::int64_t batch);

  /// Forward in training mode, loss, and backward. `weights` (one per sample; empty = all 1) multiply each
  /// sample's loss; the gradient of sum_i weights_i * loss_i / batch is written over `gradient` (the whole
  /// block: statistics carry this batch's observed values, gaps are zero). `random` drives dropout.
  /// Returns the outputs' signals; spans are valid until the next pass. For gradient_norm, projection and
  /// last_projection see measure_gradients; they are those of the samples' unweighted losses (0 where a
  /// weight is 0). `observer`, if any, is told on the way how much of the gradient is final. `gate`, if any,
  /// is asked for the parameters of each layer before its forward, and for all of them before backward; what
  /// it throws ends the pass.
  sample_signals train(std::span<const float> parameters, std::int64_t batch, const batch_targets& targets,
                       std::span<const float> weights, const loss_function& loss, signal_set wanted,
                       rng& random, std::span<float> gradient, std::span<const float> direction = {},
                       gradient_observer* observer = nullptr, parameter_gate* gate = nullptr);

  /// Forward only, inference mode, and the signals of each sample.
  sample_signals measure(std::span<const float> parameters, std::int64_t batch, const batch_targets& targets,
                         const loss_function& loss, signal_set wanted);

  /// The signals of each sample, those that need a backward pass included, with nothing dropped. `direction`
  /// is a whole block laid out like a gradient; without one projections are not measured. `gradient`: where
  /// not empty, receives the gradient of the weighted mean loss as `train` does. The exact gradient of a
  /// sample is never formed but for single convolutions (Goodfellow 2015; Bu et al. 2022). Precondition:
  /// network::missing_sample_gradients is empty, or only last_projection of these is wanted and the network
  /// ends in a dense layer.
  sample_signals measure_gradients(std::span<const float> parameters, std::int64_t batch,
                                   const batch_targets& targets, const loss_function& loss, signal_set wanted,
                                   std::span<const float> direction, std::span<float> gradient,
                                   std::span<const float> weights = {});

  /// Whether passes from now on look for the largest value in each layer's input.
  void watch_input_ranges(bool on);
  /// What the last watched pass has found, for each layer.
  [[nodiscard]] const std::vector<float>& input_ranges() const;
  /// The raw outputs of the last pass.
  [[nodiscard]] std::span<const float> outputs() const;
  /// Sums the times of the stages into `profile` from now on; null: no more. Borrowed.
  void profile(stage_profile* profile);
  /// Frees the memory for inputs and activations until it is needed again; kernels stay.
  void give_back_memory();
  /// Bytes held for inputs, activations and scratch.
  [[nodiscard]] std::size_t bytes() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace triage
