#pragma once

#include "nn/kernels/weights.hpp"
#include "nn/layer.hpp"

#include <optional>

namespace triage {

/// Where a layer's tensors start in the flat block.
struct weight_place {
  std::size_t weight = 0;
  std::optional<std::size_t> bias;
};

/// What the stages of all layers with one weight tensor share: forward with a fused activation, then its
/// derivative, the weight gradient and the input gradient. A derived constructor builds the kernels; those it
/// leaves empty are not run.
class weighted_stage : public stage {
public:
  void bind(const stage_buffers& b) override;
  void forward(const pass& p) override;
  void backward(const pass& p) override;
  [[nodiscard]] bool applies_next_relu() const override { return next_relu_; }
  [[nodiscard]] bool ends_in_relu() const override { return rectifier_ == 0.0F; }
  void omit_relu_derivative() override { rectifier_.reset(); }
  [[nodiscard]] bool backward_reads_output() const override { return rectifier_ || !activation_.empty(); }

protected:
  weighted_stage(tensor_layout input, tensor_layout output, const weight_place& place)
      : stage(std::move(input), std::move(output)), place_(place) {}
  /// The layer's activation, or the relu that follows a layer without one.
  static std::string activation_for(const stage_request& r, const std::string& own) {
    return r.relu_follows && own == "none" ? "relu" : own;
  }
  /// Sets the derivative up; `own` is the layer's activation.
  void set_activation(const stage_request& r, const std::string& own);

  /// Adds the shares of this layer's parameters; called with the output gradient behind the activation.
  virtual void add_sample_gradients(sample_gradients& samples) = 0;
  [[nodiscard]] const weight_place& place() const { return place_; }

  kernel forward_;          ///< arguments SRC, WEIGHTS, BIAS, DST
  kernel weights_gradient_; ///< arguments SRC, DIFF_DST, DIFF_WEIGHTS, DIFF_BIAS
  kernel input_gradient_;   ///< arguments DIFF_DST, WEIGHTS, DIFF_SRC
  /// The weight gradient reads its inputs in layouts of its own: makes copies in them before each run. For
  /// processors without a fast kernel for the layouts that forward has chosen.
  void convert_for_weights_gradient(kernel_engine& engine, const dnnl::memory::desc& source,
                                    const dnnl::memory::desc& output_gradient);
  /// All kernels read copies of another type or layout: of the input, made once in forward, and of the output
  /// gradient, made once in backward.
  struct conversion {
    dnnl::memory::desc from; ///< of the memory between stages
    dnnl::memory::desc to;
  };
  void convert_for_all(kernel_engine& engine, const conversion& source, const conversion& output_gradient);
  weight_binding forward_weights_;
  weight_binding gradient_weights_;
  std::optional<weight_binding> backward_weights_; ///< empty: backward reads what forward has read

private:
  struct converted {
    kernel reorder;
    std::size_t rounded = 0; ///< so many floats are rounded to bfloat16 where they lie, in place of a reorder
    const float* from = nullptr;
    float_buffer copy;

    [[nodiscard]] bool empty() const { return reorder.empty() && rounded == 0; }
    void run();
  };
  static converted make_conversion(kernel_engine& engine, const conversion& c);

  void find_weights_gradient(const pass& p);

  weight_place place_;
  converted source_; ///< empty where no conversion is needed
  converted output_gradient_;
  bool converted_for_all_ = false;
  const float* loaded_weights_ = nullptr; ///< of the last forward
  kernel activation_;                     ///< the activation's derivative, in place on the output gradient
  std::optional<float> rectifier_;        ///< the slope, where the derivative is a rectifier's instead
  bool next_relu_ = false;
};

} // namespace triage
