#pragma once

#include "nn/optimizers/update_pass.hpp"
#include "nn/smallest_rate.hpp"

namespace triage {

/// What trsgd and tradam share (Zhang, Qu, Chen and Metaxas, "Taming the Noisy Gradient: Train Deep Neural
/// Networks with Small Batch Sizes", IJCAI 2019): steps come in inner loops of S. The first remembers where
/// it began, the anchor; step s has the learning rate rate / (s + 1) and is pulled to the anchor by the
/// gradient of lambda |w - anchor|^2, lambda = regularisation * base rate / rate. So the pull of a step,
/// learning rate times 2 lambda, does not depend on the schedule. Epochs begin a loop.
class inner_loop {
public:
  void visit(option_visitor& v) {
    v.field(
        {.name = "inner_steps",
         .doc = "steps between two anchors; step s of them (from 0) has the learning rate divided by s + 1",
         .min = 1,
         .max = 100000},
        steps_);
    v.field({.name = "regularisation",
             .doc = "strength of the pull to the anchor, times the base learning rate; 0: none",
             .min = 0.0,
             .max = 1000.0},
            regularisation_);
  }

  /// From 0.
  [[nodiscard]] std::int64_t index(const parameter_update& u) const {
    return std::max<std::int64_t>(u.step - 1 - u.epoch_began, 0) % steps_;
  }
  [[nodiscard]] double rate(const parameter_update& u) const {
    return u.learning_rate / static_cast<double>(index(u) + 1);
  }
  /// 2 lambda; none where nothing moves.
  [[nodiscard]] float pull(const parameter_update& u, double base_rate) const {
    return u.learning_rate > smallest_rate
               ? static_cast<float>(2.0 * regularisation_ * base_rate / u.learning_rate)
               : 0.0F;
  }

private:
  std::int64_t steps_ = 10;
  double regularisation_ = 0.1;
};

/// The same for the inner loops.
struct anchor_terms {
  float* anchor;
  float pull;   ///< 2 lambda
  bool renewed; ///< this step is the first after the anchor, which is where it starts

  template <bool Decays>
  TRIAGE_INLINE float gradient_at(const update_pass p, std::size_t i) const {
    const float g = p.gradient_at<Decays>(i);
    if (renewed) {
      anchor[i] = p.parameters[i];
      return g;
    }
    return g + pull * (p.parameters[i] - anchor[i]);
  }
};

} // namespace triage
