#pragma once

#include "nn/kernels/memory_plan.hpp"
#include "nn/layer.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace triage {

/// A chain of stages compiled from a chain of layers, with layout conversions in between where needed. Used
/// by workspaces and by layers that contain layers.
///
/// Activations, the gradients between stages and, in the outermost chain, the scratch memory of the kernels
/// share one block: each has its place only while somebody will read it.
class stage_chain {
public:
  /// Compiles for `request`; the chain's input has the layout request.incoming, and its output the layout
  /// `outgoing`, or, without one, whichever its last stage produces.
  stage_chain(const std::vector<std::unique_ptr<layer>>& layers, const stage_request& request,
              const std::optional<tensor_layout>& outgoing);
  /// The same with a plain output.
  stage_chain(const std::vector<std::unique_ptr<layer>>& layers, const stage_request& request);

  [[nodiscard]] const tensor_layout& output_layout() const { return output_layout_; }
  /// Whether its output is its input: no layers, and no conversion either.
  [[nodiscard]] bool empty() const { return links_.empty(); }

  /// Binds the ends: input and (when wanted) input gradient are the caller's, the output and its gradient are
  /// in the chain's memory unless the chain is empty or only views.
  void bind(const float* input, float* input_gradient);
  /// The same with memory of the caller's, which no other chain uses between the forward pass and the last
  /// look at the results: `memory_floats` from `memory` on. Kernels find their scratch memory in it too.
  [[nodiscard]] std::size_t memory_floats();
  void bind(const float* input, float* input_gradient, float* memory);

  /// The output, until the next pass.
  [[nodiscard]] float* output() { return output_; }
  /// Where the gradient of the output goes before backward.
  [[nodiscard]] float* output_gradient() { return output_gradient_; }
  void forward(const pass& p);
  void backward(const pass& p);
  /// The same in two parts: down to the last layer with parameters, and from there on.
  void backward_last(const pass& p);
  void backward_rest(const pass& p);
  /// The input of the stage compiled from layer `index`, in that stage's layout: there while that stage
  /// computes, and that of the last layer until the next pass.
  [[nodiscard]] const float* input_of(std::size_t index) const { return links_[link_of_layer_[index]].input; }

private:
  struct link {
    std::unique_ptr<triage::stage> stage;
    bool wants_input_gradient = false;
    std::string name;
    std::optional<std::size_t> trained_layer = std::nullopt; ///< its layer, if that has trained values
    std::size_t scratch_bytes = 0;                           ///< what its kernels need
    // Places of what it writes, by number among the pieces; views have none.
    std::size_t output_piece = 0;
    std::size_t gradient_piece = 0; ///< of its output
    std::size_t forward_scratch = 0;
    std::size_t backward_scratch = 0;
    const float* input = nullptr;
  };
  void add(std::unique_ptr<stage> compiled, bool gradient, std::string name, const scratch_meter& meter);
  void plan(bool with_scratch);
  void plan_outputs();
  void plan_gradients();
  void plan_scratch();
  void bind_links(const float* input, float* input_gradient, float* memory);
  void run_forward(const link& l, const pass& p);
  void run_backward(const link& l, const pass& p);
  void forward_with_ranges(const pass& p);
  template <bool Forward>
  void run_profiled(const pass& p);
  void backward_links(const pass& p, std::size_t begin, std::size_t end);
  static void await_parameters(const pass& p, const link& next);
  static void report(const pass& p, const link& done);

  // Steps of a pass: link i computes forward at step i and backward at step 2 n - i, the results are looked
  // at from step n on, and the last look is at step 2 n + 1.
  [[nodiscard]] std::size_t backward_step(std::size_t index) const { return 2 * links_.size() - index; }
  [[nodiscard]] std::size_t last_step() const { return 2 * links_.size() + 1; }

  kernel_engine& engine_;
  bool training_;
  std::vector<link> links_;
  std::vector<std::size_t> link_of_layer_;
  std::size_t last_trained_ = 0; ///< the link of the last layer with parameters
  std::vector<memory_piece> pieces_;
  float_buffer own_memory_;
  float* lent_ =
      nullptr; ///< where the pieces lie, scratch memory included; null: in own_memory_, and none is
  tensor_layout output_layout_;
  float* output_ = nullptr;
  float* output_gradient_ = nullptr;
};

} // namespace triage
