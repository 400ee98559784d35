#include "nn/optimizers/optimizers.hpp"
#include "nn/optimizers/update_pass.hpp"

#include <cmath>

namespace triage {

namespace {

struct rmsprop_terms {
  float* square;
  float* mean;     ///< null unless centered
  float* velocity; ///< null without momentum
  float keep, add;
  float epsilon;
  float momentum;
  float rate;
};

template <bool Decays, bool Centered, bool Momentum>
TRIAGE_INLINE void rmsprop_loop(const update_pass p, const rmsprop_terms t) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < p.size; ++i) {
    const float g = p.gradient_at<Decays>(i);
    const float square = t.keep * t.square[i] + t.add * g * g;
    t.square[i] = square;
    float variance = square;
    if constexpr (Centered) {
      const float mean = t.keep * t.mean[i] + t.add * g;
      t.mean[i] = mean;
      const float difference = square - mean * mean;
      variance = difference < 0.0F ? 0.0F : difference; // rounding may make a vanishing variance negative
    }
    float change = g / (std::sqrt(variance) + t.epsilon);
    if constexpr (Momentum) {
      change += t.momentum * t.velocity[i];
      t.velocity[i] = change;
    }
    p.next[i] = p.parameters[i] - t.rate * change;
  }
}

template <bool Decays>
TRIAGE_INLINE void rmsprop_with(const update_pass& p, const rmsprop_terms& t) {
  if (t.mean == nullptr)
    t.velocity == nullptr ? rmsprop_loop<Decays, false, false>(p, t)
                          : rmsprop_loop<Decays, false, true>(p, t);
  else
    t.velocity == nullptr ? rmsprop_loop<Decays, true, false>(p, t) : rmsprop_loop<Decays, true, true>(p, t);
}

TRIAGE_MULTIVERSION void rmsprop_pass(const update_pass& p, const rmsprop_terms& t) {
  p.decays() ? rmsprop_with<true>(p, t) : rmsprop_with<false>(p, t);
}

/// w <- w - rate g / (sqrt(v) + epsilon), v the running mean of g^2 (less the squared mean of g when
/// centered; Graves, 2013), with momentum on the quotient.
class rmsprop : public optimizer {
public:
  void visit(option_visitor& v) override {
    v.field(learning_rate_option(), learning_rate_);
    v.field(
        {.name = "smoothing", .doc = "memory of the squared gradient's mean", .min = 0.0, .max = 0.999999},
        smoothing_);
    v.field({.name = "epsilon", .doc = "added to the divisor", .min = 1e-16, .max = 1.0}, epsilon_);
    v.field({.name = "momentum",
             .doc = "share of the velocity that is kept; 0: none",
             .min = 0.0,
             .max = 0.99999},
            momentum_);
    v.field({.name = "centered", .doc = "divide by the deviation instead of the root mean square"},
            centered_);
    v.field(weight_decay_option(), weight_decay_);
  }

  [[nodiscard]] std::vector<std::string_view> moments() const override {
    std::vector<std::string_view> names{"square"};
    if (centered_)
      names.emplace_back("mean");
    if (momentum_ > 0.0)
      names.emplace_back("velocity");
    return names;
  }

  void apply(const parameter_update& u) const override {
    rmsprop_pass(update_pass(u, weight_decay_),
                 {
                     .square = u.moments[0].data(),
                     .mean = centered_ ? u.moments[1].data() : nullptr,
                     .velocity = momentum_ > 0.0 ? u.moments.back().data() : nullptr,
                     .keep = static_cast<float>(smoothing_),
                     .add = static_cast<float>(1.0 - smoothing_),
                     .epsilon = static_cast<float>(epsilon_),
                     .momentum = static_cast<float>(momentum_),
                     .rate = static_cast<float>(u.learning_rate),
                 });
  }

  [[nodiscard]] double learning_rate() const override { return learning_rate_; }

private:
  double learning_rate_ = 0.001;
  double smoothing_ = 0.99;
  double epsilon_ = 1e-8;
  double momentum_ = 0.0;
  bool centered_ = false;
  double weight_decay_ = 0.0;
};

} // namespace

std::unique_ptr<optimizer> make_rmsprop() {
  return std::make_unique<rmsprop>();
}

} // namespace triage
