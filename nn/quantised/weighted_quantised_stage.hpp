#pragma once

#include "nn/quantised/quantise.hpp"
#include "nn/quantised/quantised_stage.hpp"

#include <vector>

namespace triage {

/// What dense and convolution share: the weight tensor as a matrix of one row per output channel, and how
/// bytes, weights and sums become the bytes of the next layer. A derived constructor calls `set_kernel`, or
/// the class overrides `run`.
///
/// With inputs x = s q + t, weights W = w V and outputs of step u, relu(W x + b) / u is
/// relu(multiplier * (V q + constant)) with multiplier = s w / u and constant = b / (s w) + V (t / s).
class weighted_quantised_stage : public quantised_stage {
public:
  [[nodiscard]] bool keeps_meaning() const override { return false; }
  void load(const float* parameters, const byte_meaning& in, float output_scale) override;
  void run() override { compute_.run(); }

protected:
  /// `plain`: row-major float weights, output channel first, then input channel. `places`: where each weight
  /// of a row goes in a row of `row_width` bytes; what is between stays zero. Empty: side by side.
  weighted_quantised_stage(const quantised_request& r, dnnl::memory::desc output,
                           const quantised_weights& place, const dnnl::memory::desc& plain,
                           std::vector<std::size_t> places = {}, std::size_t row_width = 0);

  /// Quantised rows are brought from the order `from` into the order `to` before anything else.
  void set_rearrangement(const dnnl::memory::desc& from, const dnnl::memory::desc& to);
  /// Takes the kernel, whose arguments SRC and DST are added and bound by the caller, and the layout that it
  /// wants the weights in; `rows` is how the quantised rows lie. `multiplier`: the argument that scales the
  /// output channels.
  void set_kernel(kernel compute, const dnnl::memory::desc& rows, const dnnl::memory::desc& wanted,
                  const dnnl::memory::desc& multiplier, int multiplier_argument);
  kernel compute_;

  /// For a derived class with a kernel of its own, after `load`: the quantised rows in their places, and the
  /// factors of the output channels.
  [[nodiscard]] const std::int8_t* rows() const {
    return spread_.empty() ? matrix_.values.data() : spread_.data();
  }
  [[nodiscard]] const float* multiplier() { return multiplier_.data(); }
  [[nodiscard]] const float* constant() { return constant_.data(); }

private:
  kernel_engine& engine_;
  quantised_weights place_;
  quantised_matrix matrix_;
  std::vector<std::size_t> places_;
  std::size_t row_width_;
  std::vector<std::int8_t> spread_; ///< the rows with their gaps or in another order, where that is wanted
  kernel rearrange_;
  bool unpacks_ = false;
  float_buffer plain_;
  kernel unpack_; ///< from the storage of the flat block; unused where that is plain
  float_buffer packed_;
  kernel pack_;
  float_buffer multiplier_;
  float_buffer constant_;
  std::vector<float> column_scale_;
  std::vector<float> column_offset_;
};

} // namespace triage
