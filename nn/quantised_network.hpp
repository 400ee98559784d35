#pragma once

#include "core/result.hpp"
#include "nn/network.hpp"
#include "nn/quantised/quantised_stage.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace triage {

/// A network's forward pass in 8-bit integers, compiled for one batch size: about four times as fast as in
/// floats where the processor has byte dot products, and precise enough to rank points by. Inference only.
/// Belongs to one thread; allocates nothing after construction.
class quantised_network {
public:
  /// Whether this processor multiplies bytes fast, without sums that saturate.
  [[nodiscard]] static bool processor_supports();
  /// An error says which layer has no 8-bit form: what is neither dense, convolution, relu, pool, flatten nor
  /// dropout, an activation in between that is not a relu, or a network of a single layer.
  [[nodiscard]] static result<std::unique_ptr<quantised_network>> compile(std::shared_ptr<const network> net,
                                                                          std::int64_t batch);

  [[nodiscard]] std::int64_t batch() const { return batch_; }
  /// Where the samples' bytes go: plain, batch * input size.
  [[nodiscard]] std::span<std::uint8_t> input() { return input_; }

  /// Quantises the parameters. `ranges`: for each layer the largest value that its input takes
  /// (workspace::input_ranges), from which follows what the bytes between layers are worth.
  void load(std::span<const float> parameters, const byte_meaning& input, std::span<const float> ranges);
  /// Raw outputs, batch x output width, valid until the next call.
  std::span<const float> infer();
  /// The norm of each sample's input to the last layer, as infer has left it. Not for networks of one layer:
  /// there the input has a shift.
  void last_input_norms(std::span<float> norms) const;

private:
  quantised_network() = default;
  struct link {
    std::unique_ptr<quantised_stage> stage;
    std::size_t layer = 0;
    const std::byte* output = nullptr;
  };

  std::shared_ptr<const network> net_;
  std::int64_t batch_ = 0;
  std::unique_ptr<kernel_engine> engine_;
  std::vector<std::uint8_t> input_;
  std::vector<link> links_;
  std::vector<float_buffer> buffers_;
  const std::uint8_t* last_input_ = nullptr;
  std::size_t last_input_width_ = 0;
  float last_input_scale_ = 1.0F;
};

} // namespace triage
