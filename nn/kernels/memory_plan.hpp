#pragma once

#include <cstddef>
#include <span>

namespace triage {

/// A piece of memory that is needed from step `first` to step `last`, both included.
struct memory_piece {
  std::size_t floats = 0;
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t offset = 0; ///< in floats; a multiple of 16, so that pieces lie on cache lines
};

/// Places the pieces in one block so that no two overlap that are needed at the same step, and returns the
/// block's size in floats. Large pieces first, each as low as it fits (Pisarchyk & Lee, "Efficient memory
/// management for deep neural net inference", 2020).
std::size_t place_pieces(std::span<memory_piece> pieces);

} // namespace triage
