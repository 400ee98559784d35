#pragma once

#include "nn/kernels/engine.hpp"

#include <cstdint>
#include <optional>

namespace triage {

/// How a matrix lies in blocks of some rows by some columns (or pairs of columns), in numbers (or pairs).
struct weight_blocks {
  std::int64_t rows = 0;    ///< of a block
  std::int64_t columns = 0; ///< of a block, or pairs of them
  std::int64_t row_stride = 0;
  std::int64_t column_stride = 0;
};

/// Rounds a weight matrix to bfloat16, from the blocks in which the flat block stores it to the blocks of
/// pairs that bfloat16 kernels read: three to four times as fast as oneDNN's reorder, which is general. To
/// nearest, ties to even; a NaN stays one. Every step rounds all weights anew.
class weight_rounding {
public:
  /// Absent for other layouts than these two: columns (inputs) in blocks of 16 by so many rows, and the same
  /// in blocks of pairs of columns: 16 for AMX, 8 for the AVX-512 of processors without it.
  [[nodiscard]] static std::optional<weight_rounding> between(const dnnl::memory::desc& from,
                                                              const dnnl::memory::desc& to);
  /// `to`: memory for the target layout, whose padding is left alone: it must be zero before the first call.
  void run(const float* from, float* to) const;

private:
  weight_rounding() = default;

  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  weight_blocks from_;
  weight_blocks to_;
};

} // namespace triage
