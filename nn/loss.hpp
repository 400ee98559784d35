#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"

#include <cstdint>
#include <memory>
#include <numbers>
#include <span>

namespace triage {

/// What the network should have said; one of the two spans is used.
struct batch_targets {
  std::span<const std::int32_t> labels; ///< classification: one per sample
  std::span<const float> values;        ///< regression: rows of `outputs`
};

/// A loss per sample, on the network's raw outputs. Stateless; any thread may use it.
class loss_function : public configurable {
public:
  /// For each row of `outputs` (batch x width): the unweighted loss of the sample into `loss`, and the
  /// gradient of that loss with respect to the row into `gradient` (not divided by the batch size).
  /// `gradient` may be empty when only losses are wanted.
  virtual void evaluate(std::span<const float> outputs, std::int64_t width, const batch_targets& targets,
                        std::span<float> loss, std::span<float> gradient) const = 0;

  /// Turns raw outputs into what a user wants to see: probabilities, or the values themselves. In place.
  virtual void to_prediction(std::span<float> outputs, std::int64_t width) const = 0;

  /// The same as an operator of ONNX over a batch of rows; empty: nothing is to be done.
  [[nodiscard]] virtual std::string_view prediction_operator() const { return {}; }

  /// 1 when the prediction for the row is right, for classification; losses without a notion of "right"
  /// return false from has_accuracy.
  [[nodiscard]] virtual bool has_accuracy() const = 0;
  [[nodiscard]] virtual bool is_correct(std::span<const float> row, const batch_targets& targets,
                                        std::size_t index) const = 0;

  /// Classification: the loss of a sample whose label has half of the probability, and the other classes even
  /// shares of the rest.
  [[nodiscard]] virtual double loss_at_one_half(std::int64_t) const { return std::numbers::ln2; }

  /// Why this loss cannot be used with such targets, or success. `width` is the network's output width.
  [[nodiscard]] virtual result<void> check(std::int64_t classes, std::int64_t outputs,
                                           std::int64_t width) const = 0;
  /// Why it cannot learn these values of a regression, or success.
  [[nodiscard]] virtual result<void> check_values(std::span<const float>) const { return {}; }
  /// The network output width this loss wants for a data set (binary_cross_entropy on two classes: 1).
  [[nodiscard]] virtual std::int64_t output_width(std::int64_t classes, std::int64_t outputs) const = 0;
};

using loss_factory = std::unique_ptr<loss_function> (*)();
/// softmax_cross_entropy (label_smoothing), mean_squared_error, binary_cross_entropy.
[[nodiscard]] registry_table<loss_factory> loss_functions();

/// From "softmax_cross_entropy" or {"type": "softmax_cross_entropy", "label_smoothing": 0.1}.
[[nodiscard]] result<std::unique_ptr<loss_function>> make_loss(const json_value& description,
                                                               const json_place& place);

} // namespace triage
