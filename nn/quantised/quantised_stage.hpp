#pragma once

#include "core/shape.hpp"
#include "nn/kernels/engine.hpp"
#include "nn/layers/window.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace triage {

/// What the bytes of a tensor stand for: value = scale * byte + shift, by channel, or the same for all
/// channels when there is one element. Between layers shift is 0: outputs of a relu are not negative.
struct byte_meaning {
  std::span<const float> scale;
  std::span<const float> shift;
};

/// What a layer is compiled for when the forward pass runs in 8-bit integers.
struct quantised_request {
  kernel_engine& engine;
  std::int64_t batch = 0;
  /// Of the bytes that come in: plain for the samples themselves, channels last between layers.
  dnnl::memory::desc incoming;
  bool is_input = false;     ///< the bytes are the samples: they have a shift
  bool is_last = false;      ///< the output must be floats
  bool relu_follows = false; ///< the next layer is a relu, which the stage applies itself
  /// Behind it, and behind a relu that follows it, comes a max pool of 2x2 windows side by side, which the
  /// stage may apply.
  bool pool_follows = false;
};

/// A layer's forward pass on unsigned bytes with signed 8-bit weights and 32-bit sums (u8 x s8, VNNI).
class quantised_stage {
public:
  virtual ~quantised_stage() = default;
  /// Layout and type of what goes out: bytes, or floats from the last layer.
  [[nodiscard]] const dnnl::memory::desc& output() const { return output_; }
  /// True: output and input are the same memory; run is not called.
  [[nodiscard]] virtual bool is_view() const { return false; }
  /// Whether the bytes that go out mean what those that come in mean.
  [[nodiscard]] virtual bool keeps_meaning() const { return true; }
  /// Whether it applies the pool that follows it.
  [[nodiscard]] virtual bool applies_next_pool() const { return false; }

  virtual void bind(const std::uint8_t*, std::byte*) {}
  /// Quantises the weights: one scale for each output channel. `output_scale`: what one step of the bytes
  /// that go out is worth.
  virtual void load(const float*, const byte_meaning&, float) {}
  virtual void run() {}

protected:
  explicit quantised_stage(dnnl::memory::desc output) : output_(std::move(output)) {}

private:
  dnnl::memory::desc output_;
};

/// A layer that does nothing in inference, or only gives the same bytes another shape.
[[nodiscard]] std::unique_ptr<quantised_stage> make_quantised_view(const dnnl::memory::desc& bytes);

/// Tensors of a layer in the flat block.
struct quantised_weights {
  std::size_t weight = 0;
  std::optional<std::size_t> bias;
  dnnl::memory::desc storage; ///< of the weight in the flat block
};

/// y = W x + b, with a relu unless it is the last. Reads plain samples and channels-last images alike.
[[nodiscard]] std::unique_ptr<quantised_stage> make_quantised_dense(const quantised_request& request,
                                                                    const sample_shape& input,
                                                                    std::int64_t units,
                                                                    const quantised_weights& weights);

struct quantised_window {
  std::int64_t size = 1;
  std::int64_t step = 1;
  window::placement place;
};
/// A convolution over bytes from a relu.
[[nodiscard]] std::unique_ptr<quantised_stage> make_quantised_convolution(const quantised_request& request,
                                                                          const sample_shape& input,
                                                                          const sample_shape& output,
                                                                          const quantised_window& window,
                                                                          const quantised_weights& weights);
/// The same by Winograd's algorithm; null where that does not suit the shapes or the processor.
[[nodiscard]] std::unique_ptr<quantised_stage> make_quantised_winograd(const quantised_request& request,
                                                                       const sample_shape& input,
                                                                       const sample_shape& output,
                                                                       const quantised_window& window,
                                                                       const quantised_weights& weights);
/// A convolution over the samples, whose channels are few and whose padding is the byte that stands for zero.
[[nodiscard]] std::unique_ptr<quantised_stage>
make_quantised_input_convolution(const quantised_request& request, const sample_shape& input,
                                 const sample_shape& output, const quantised_window& window,
                                 const quantised_weights& weights);

/// Pools bytes.
[[nodiscard]] std::unique_ptr<quantised_stage> make_quantised_pool(const quantised_request& request,
                                                                   const sample_shape& output,
                                                                   const quantised_window& window,
                                                                   dnnl::algorithm algorithm);

} // namespace triage
