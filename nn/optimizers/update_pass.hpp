#pragma once

#include "core/multiversion.hpp"
#include "nn/optimizer.hpp"

#include <algorithm>

namespace triage {

/// The part of an update that all rules share, as plain pointers for the inner loops.
struct update_pass {
  const float* parameters;
  float* next;
  const float* gradient;
  std::size_t size;
  float scale;
  float decay; ///< 0 when nothing decays

  update_pass(const parameter_update& u, double weight_decay)
      : parameters(u.parameters.data()), next(u.next.data()), gradient(u.gradient.data()),
        size(u.parameters.size()), scale(u.gradient_scale),
        decay(u.decays ? static_cast<float>(weight_decay) : 0.0F) {}

  [[nodiscard]] bool decays() const { return decay > 0.0F; }
  /// Element i of the gradient, scaled, plus decay * parameter where it decays (`Decays`: decays()).
  template <bool Decays>
  TRIAGE_INLINE float gradient_at(std::size_t i) const {
    if constexpr (Decays)
      return gradient[i] * scale + decay * parameters[i];
    else
      return gradient[i] * scale;
  }
};

inline option_info weight_decay_option() {
  return {.name = "weight_decay",
          .doc = "pulls weights (not biases and norms) towards zero",
          .min = 0.0,
          .max = 1.0};
}

inline option_info learning_rate_option() {
  return {
      .name = "learning_rate", .doc = "the base rate, which the schedule multiplies", .min = 0.0, .max = 1e6};
}

} // namespace triage
