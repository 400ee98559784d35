#pragma once

#include "core/json.hpp"
#include "core/options.hpp"
#include "core/result.hpp"
#include "core/shape.hpp"
#include "nn/layer.hpp"
#include "nn/parameters.hpp"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace triage {

/// A feed-forward network: a specification and the layout of its parameters. Immutable after `build`, holds
/// no parameters and no activations; shared by all threads. A `workspace` runs it.
class network {
public:
  /// Builds from the "model" array of a run description. Names the layer (index, type, JSON pointer) and the
  /// shape that came in when layers do not fit, and requires that the output has `output_width` values.
  /// `extra` holds layers beside the built-in ones; weights are stored for passes over about `batch_hint`
  /// samples.
  [[nodiscard]] static result<std::shared_ptr<const network>>
  build(const json_value& model, const json_place& place, const sample_shape& input,
        std::int64_t output_width, layer_table extra = {}, std::int64_t batch_hint = 64);

  [[nodiscard]] const sample_shape& input_shape() const { return input_; }
  [[nodiscard]] std::int64_t output_width() const { return output_width_; }
  [[nodiscard]] const parameter_layout& parameters() const { return parameters_; }
  [[nodiscard]] const std::vector<std::unique_ptr<layer>>& layers() const { return layers_; }
  /// For each layer, where in the block its trained values begin, or would if it had any.
  [[nodiscard]] std::span<const std::size_t> trained_offsets() const { return trained_offsets_; }
  /// For each layer, where its trained values end; 0 if it has none.
  [[nodiscard]] std::span<const std::size_t> trained_ends() const { return trained_ends_; }
  /// Whether the last layer is dense: its input then is the signal `last_input_norm`.
  [[nodiscard]] bool ends_in_dense() const;
  /// The first layer without gradients of single samples ("2: batch_norm"), or empty.
  [[nodiscard]] std::string missing_sample_gradients() const;
  /// The resolved model description: defaults filled in.
  [[nodiscard]] json_value describe() const;
  /// One line per layer with output shape and parameter count, for people.
  [[nodiscard]] std::string summary() const;
  /// Multiply-adds of one sample's forward pass.
  [[nodiscard]] double forward_flops() const;

private:
  network() = default;
  [[nodiscard]] std::vector<std::size_t>
  find_trained_offsets(const std::vector<std::size_t>& first_tensors) const;
  [[nodiscard]] std::vector<std::size_t>
  find_trained_ends(const std::vector<std::size_t>& first_tensors) const;

  sample_shape input_;
  std::int64_t output_width_ = 0;
  parameter_layout parameters_;
  std::vector<std::unique_ptr<layer>> layers_;
  std::vector<std::size_t> trained_offsets_;
  std::vector<std::size_t> trained_ends_;
};

} // namespace triage
