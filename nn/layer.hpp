#pragma once

#include "core/clock.hpp"
#include "core/options.hpp"
#include "core/registry.hpp"
#include "core/rng.hpp"
#include "core/shape.hpp"
#include "nn/kernels/engine.hpp"
#include "nn/kernels/tensor_layout.hpp"
#include "nn/parameters.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

class quantised_stage;
struct quantised_request;

/// Where the time of a chain goes, stage by stage, summed over passes. For benchmarks: reading the clock
/// twice a stage costs about 50 ns.
struct stage_profile {
  struct entry {
    std::string stage; ///< the layer's type, or "reorder" between two layouts
    double forward_seconds = 0.0;
    double backward_seconds = 0.0;
  };
  const clock& time;
  std::vector<entry> entries;
};

/// Collects, in a backward pass, what the gradient of each sample alone would come to: every stage with
/// trained parameters adds its share. Samples are counted by their own output gradients, as these come in.
struct sample_gradients {
  std::span<double> squared_norms;  ///< of each sample's gradient; empty: not wanted
  std::span<double> projections;    ///< of each sample's gradient on `direction`; empty: not wanted
  std::span<const float> direction; ///< a whole flat block, laid out like a gradient
};

/// Who is told, in a backward pass, how much of the gradient is final.
class gradient_observer {
public:
  virtual ~gradient_observer() = default;
  /// Everything from element `offset` to the end of the trained prefix is. Offsets only fall.
  virtual void final_from(std::size_t offset) = 0;
};

/// An observer, and where the trained values of each layer begin.
struct gradient_watch {
  gradient_observer& observer;
  std::span<const std::size_t> offsets;
};

class onnx_graph;
struct onnx_value;

/// Whom a forward pass asks before it reads parameters that may still be on their way.
class parameter_gate {
public:
  virtual ~parameter_gate() = default;
  /// Returns when the elements [0, end) of the block are there; throws when they will not come.
  virtual void await(std::size_t end) = 0;
};

/// A gate, and where the trained values of each layer end.
struct parameter_watch {
  parameter_gate& gate;
  std::span<const std::size_t> ends;
};

/// Until when the stages of a workspace have pretended to be busy.
struct emulated_work {
  std::chrono::steady_clock::time_point busy_until;
};

/// What changes from pass to pass.
struct pass {
  std::span<const float> parameters; ///< the whole flat block
  std::span<float> gradient;         ///< the whole flat block; empty: not wanted
  bool training = false;
  rng* random = nullptr;                 ///< for dropout; null: nothing is dropped
  stage_profile* profile = nullptr;      ///< filled by the outermost chain when not null
  sample_gradients* samples = nullptr;   ///< null: not wanted; see stage_request::sample_gradients
  const gradient_watch* watch = nullptr; ///< told by the outermost chain when not null
  /// Receives, in a forward pass, the largest value in the input of each layer of the outermost chain.
  std::vector<float>* input_ranges = nullptr;
  /// Asked by the outermost chain for the trained values of each layer before its forward, which then may
  /// read no others; null: all parameters are there.
  const parameter_watch* arriving = nullptr;
  emulated_work* emulated = nullptr; ///< of the workspace; null: each stage keeps its own
};

/// Where a stage finds its tensors, in its layouts. What it writes it writes whole, padding included (zero):
/// the memory holds whatever was computed there before.
struct stage_buffers {
  const float* input = nullptr;
  float* output = nullptr;
  float* output_gradient = nullptr; ///< may be overwritten by backward; null in inference
  float* input_gradient = nullptr;  ///< null where nobody needs it
};

/// A layer compiled for one batch size, one workspace and either training or inference; may keep what it
/// computes in forward for the backward of the same pass.
class stage {
public:
  virtual ~stage() = default;
  [[nodiscard]] const tensor_layout& input_layout() const { return input_layout_; }
  [[nodiscard]] const tensor_layout& output_layout() const { return output_layout_; }
  /// True: output and input are the same memory; forward and backward are not called.
  [[nodiscard]] virtual bool is_view() const { return false; }

  /// Whether it also applies the relu that follows it (see stage_request::relu_follows).
  [[nodiscard]] virtual bool applies_next_relu() const { return false; }
  /// Whether it also applies the pool that follows it (see stage_request::pool_follows).
  [[nodiscard]] virtual bool applies_next_pool() const { return false; }
  /// Whether its output is that of a relu, so that what is zero in it needs no gradient.
  [[nodiscard]] virtual bool ends_in_relu() const { return false; }
  /// Asked of the stage after one that ends in relu: whether its backward delivers an input gradient that is
  /// zero wherever its input is not positive, i.e. whether it does the derivative of that relu. A pool can do
  /// so on a quarter of the values.
  [[nodiscard]] virtual bool take_over_relu_derivative() { return false; }
  /// The next stage has taken the derivative over.
  virtual void omit_relu_derivative() {}

  /// Whether backward looks at what forward has read, and at what it has written. The memory of activations
  /// that nobody looks at again is used for other things. Asked after all stages of a chain were made.
  [[nodiscard]] virtual bool backward_reads_input() const { return true; }
  [[nodiscard]] virtual bool backward_reads_output() const { return true; }

  /// Called before the first pass, and again whenever memory has moved.
  virtual void bind(const stage_buffers& buffers) { buffers_ = buffers; }
  virtual void forward(const pass& p) = 0;
  /// Writes (not adds) the parameter gradients into p.gradient, and the input gradient unless it is not
  /// wanted.
  virtual void backward(const pass& p) = 0;

protected:
  stage(tensor_layout input, tensor_layout output)
      : input_layout_(std::move(input)), output_layout_(std::move(output)) {}
  [[nodiscard]] const stage_buffers& buffers() const { return buffers_; }

private:
  tensor_layout input_layout_;
  tensor_layout output_layout_;
  stage_buffers buffers_;
};

/// What a layer is compiled for.
struct stage_request {
  kernel_engine& engine;
  std::int64_t batch = 0;
  tensor_layout incoming; ///< the layout that the layer before produces; a stage may ask for another
  bool training = false;
  bool input_gradient = false;   ///< whether backward must produce it
  bool relu_follows = false;     ///< the next layer is a relu, which the stage may apply itself
  bool sample_gradients = false; ///< whether passes may ask for them
  /// Whether a stage may round what it multiplies to bfloat16. What it adds up, what it hands on, and the
  /// gradients of parameters are floats all the same.
  bool bfloat16 = false;
  /// Behind it, and behind a relu that follows it, comes a max pool of 2x2 windows side by side, which the
  /// stage may apply as well, together with that relu.
  bool pool_follows = false;
};

/// A layer of a network: an immutable description after `connect`. Holds no parameters and no activations;
/// any number of threads may compile and run stages of it.
class layer : public configurable {
public:
  [[nodiscard]] virtual std::string_view type() const = 0;

  /// Fixes the input shape and returns the output shape, or an error that says what does not fit.
  [[nodiscard]] virtual result<sample_shape> connect(const sample_shape& input) = 0;
  /// Adds its tensors to the layout; names start with `prefix` ("3.conv2d."). `batch_hint` is the batch size
  /// that the storage of weights is chosen for.
  virtual void declare(parameter_layout& layout, const std::string& prefix, std::int64_t batch_hint);
  /// After parameter_layout::finish: nothing moves any more. The layout outlives the layer.
  virtual void locate(const parameter_layout& layout) { parameters_ = &layout; }
  [[nodiscard]] virtual std::unique_ptr<stage> compile(const stage_request& request) const = 0;
  /// The same for inference in 8-bit integers; null where that cannot be.
  [[nodiscard]] virtual std::unique_ptr<quantised_stage> quantise(const quantised_request&) const;
  /// Whether it has tensors that gradients train.
  [[nodiscard]] virtual bool has_parameters() const { return false; }
  /// Whether it is max(x, 0), which the layer before may apply in its place.
  [[nodiscard]] virtual bool is_relu() const { return false; }
  /// Whether it takes the largest of each 2x2 pixels side by side, which the layer before may do in its
  /// place.
  [[nodiscard]] virtual bool halves_by_maximum() const { return false; }
  /// Whether its stages can tell the gradients of single samples: not where samples see each other.
  [[nodiscard]] virtual bool has_sample_gradients() const { return !has_parameters(); }
  /// Whether a sample alone trains nothing in it, since all that it sees is the difference between samples.
  [[nodiscard]] virtual bool needs_several_samples() const { return false; }
  /// Adds what it does in inference to a graph; `prefix` as `declare` was given. By default an error: it has
  /// no form there.
  [[nodiscard]] virtual result<onnx_value> draw(onnx_graph& graph, const onnx_value& input,
                                                const std::string& prefix) const;
  /// Multiply-adds of a sample's forward pass, times two.
  [[nodiscard]] virtual double flops() const { return 0.0; }

  [[nodiscard]] const sample_shape& input_shape() const { return input_; }
  [[nodiscard]] const sample_shape& output_shape() const { return output_; }
  /// {"type": …, options}: rebuilds an identical layer.
  [[nodiscard]] virtual json_value describe() const;

protected:
  sample_shape input_;
  sample_shape output_;
  const parameter_layout* parameters_ = nullptr;
};

using layer_factory = std::unique_ptr<layer> (*)();
using layer_table = registry_table<layer_factory>;
/// All built-in layers.
[[nodiscard]] layer_table layers();

/// Reads and connects a chain of layers from a JSON array; `extra` is searched after the built-in table.
/// Errors name the layer by index, type and JSON pointer, and the shape that came in.
[[nodiscard]] result<std::vector<std::unique_ptr<layer>>>
make_layers(const json_value& array, const json_place& place, const sample_shape& input, layer_table extra);

} // namespace triage
