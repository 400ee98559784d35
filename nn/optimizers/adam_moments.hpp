#pragma once

#include "nn/optimizers/update_pass.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace triage {

/// The running means of Adam, of the gradient and of its square, as its relatives share them.
struct adam_moments {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;

  void visit(option_visitor& v) {
    v.field({.name = "beta1", .doc = "memory of the gradient's mean", .min = 0.0, .max = 0.999999}, beta1);
    v.field({.name = "beta2", .doc = "memory of the squared gradient's mean", .min = 0.0, .max = 0.999999},
            beta2);
    v.field({.name = "epsilon", .doc = "added to the divisor", .min = 1e-16, .max = 1.0}, epsilon);
  }
};

/// The same for the inner loops.
struct adam_terms {
  float* mean;
  float* square;
  float keep_mean, add_mean;
  float keep_square, add_square;
  float correction; ///< 1 / sqrt(1 - beta2^step): the means begin at zero
  float epsilon;
  float rate; ///< learning rate / (1 - beta1^step)

  adam_terms(const adam_moments& m, const parameter_update& u, double learning_rate)
      : mean(u.moments[0].data()), square(u.moments[1].data()), keep_mean(static_cast<float>(m.beta1)),
        add_mean(static_cast<float>(1.0 - m.beta1)), keep_square(static_cast<float>(m.beta2)),
        add_square(static_cast<float>(1.0 - m.beta2)), epsilon(static_cast<float>(m.epsilon)) {
    const auto step = static_cast<double>(std::max<std::int64_t>(u.step, 1));
    correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(m.beta2, step)));
    rate = static_cast<float>(learning_rate / (1.0 - std::pow(m.beta1, step)));
  }

  /// How far element i moves for this gradient; moves its means.
  TRIAGE_INLINE float move(std::size_t i, float g) const {
    const float m = keep_mean * mean[i] + add_mean * g;
    const float s = keep_square * square[i] + add_square * g * g;
    mean[i] = m;
    square[i] = s;
    return rate * m / (std::sqrt(s) * correction + epsilon);
  }
};

} // namespace triage
