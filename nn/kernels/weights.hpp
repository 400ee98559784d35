#pragma once

#include "nn/kernels/rounded_weights.hpp"
#include "nn/parameters.hpp"

#include <memory>
#include <optional>

namespace triage {

/// A weight tensor between the flat block (its storage layout) and the kernels of one stage (the layout they
/// chose). Where the two agree the kernel works on the block itself; otherwise a private copy is converted.
class weight_binding {
public:
  /// What the kernels do with the weights. Some layouts (Winograd's) can be converted in one direction only.
  enum class use { read, write };
  weight_binding() = default;
  weight_binding(kernel_engine& engine, use purpose, const dnnl::memory::desc& storage,
                 const dnnl::memory::desc& wanted);

  /// Before a kernel reads: the address of the weights in the wanted layout, given their address in the
  /// block.
  [[nodiscard]] const float* load(const float* stored);
  /// Where a kernel writes its weight gradient, given its place in the block; `store` brings it there.
  [[nodiscard]] float* target(float* stored);
  void store(float* stored);

private:
  bool direct_ = true;
  float_buffer copy_;
  kernel convert_;                          ///< into the copy, or out of it
  std::optional<weight_rounding> rounding_; ///< in its place, where it can
};

/// The packing of a tensor into the layout `packed`; null when that is `plain` or would need padding (the
/// flat block has no room for padding, and nobody but its owner may write to it).
[[nodiscard]] std::shared_ptr<const packed_format> make_packing(const dnnl::memory::desc& plain,
                                                                const dnnl::memory::desc& packed);

} // namespace triage
