#pragma once

#include <cstdint>
#include <span>

namespace triage {

/// What one pass over a batch tells about each of its samples; the raw material of scores. `nn` fills it,
/// `sampling` reads it, and neither knows the other. A span is empty when the signal was not asked for.
struct sample_signals {
  std::span<const float> loss;            ///< unweighted loss of the sample
  std::span<const float> residual_norm;   ///< ||dL_i/dz||: norm of the loss gradient at the network's output
  std::span<const float> last_input_norm; ///< ||h||: norm of the input of the last parametrised layer
  std::span<const float>
      gradient_norm;                 ///< ||g_i||: norm of the sample's gradient over all trained parameters
  std::span<const float> projection; ///< <g_i, v> for a given direction v
  std::span<const float> last_projection; ///< the same over the parameters of the last layer
};

/// Which signals are wanted; bits may be combined.
enum class signal : std::uint32_t {
  loss = 1,
  residual_norm = 2,
  last_input_norm = 4,
  gradient_norm = 8,
  projection = 16,
  last_projection = 32,
};

using signal_set = std::uint32_t;
constexpr signal_set operator|(signal a, signal b) {
  return static_cast<signal_set>(a) | static_cast<signal_set>(b);
}
constexpr signal_set operator|(signal_set a, signal b) {
  return a | static_cast<signal_set>(b);
}
constexpr bool contains(signal_set set, signal s) {
  return (set & static_cast<signal_set>(s)) != 0;
}
/// Whether any of them is measured along a given direction.
constexpr bool need_direction(signal_set set) {
  return contains(set, signal::projection) || contains(set, signal::last_projection);
}

} // namespace triage
