#include "nn/optimizers/adam_correction.hpp"
#include "nn/optimizers/optimizers.hpp"
#include "nn/optimizers/update_pass.hpp"

namespace triage {

namespace {

struct adam_terms {
  float* mean;
  float* square;
  float keep_mean, add_mean;
  float keep_square, add_square;
  float correction; ///< 1 / sqrt(1 - beta2^step)
  float epsilon;
  float rate;   ///< learning rate / (1 - beta1^step)
  float shrink; ///< decoupled decay: learning rate * weight decay
};

template <bool Decays, bool Decoupled>
TRIAGE_INLINE void adam_loop(const update_pass p, const adam_terms a) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < p.size; ++i) {
    const float g = p.gradient_at < Decays && !Decoupled > (i);
    const float mean = a.keep_mean * a.mean[i] + a.add_mean * g;
    const float square = a.keep_square * a.square[i] + a.add_square * g * g;
    a.mean[i] = mean;
    a.square[i] = square;
    float w = p.parameters[i];
    if constexpr (Decays && Decoupled)
      w -= a.shrink * w;
    p.next[i] = w - a.rate * mean / (std::sqrt(square) * a.correction + a.epsilon);
  }
}

TRIAGE_MULTIVERSION void adam_pass(const update_pass& p, const adam_terms& a) {
  p.decays() ? adam_loop<true, false>(p, a) : adam_loop<false, false>(p, a);
}

TRIAGE_MULTIVERSION void adamw_pass(const update_pass& p, const adam_terms& a) {
  p.decays() ? adam_loop<true, true>(p, a) : adam_loop<false, true>(p, a);
}

/// w <- w - rate m^ / (sqrt(v^) + epsilon) with bias-corrected running means m of the gradient and v of its
/// square. adam adds weight_decay w to the gradient; adamw shrinks w by rate * weight_decay instead.
class adam : public optimizer {
public:
  adam(bool decoupled, double weight_decay) : decoupled_(decoupled), weight_decay_(weight_decay) {}

  void visit(option_visitor& v) override {
    v.field(learning_rate_option(), learning_rate_);
    v.field({.name = "beta1", .doc = "memory of the gradient's mean", .min = 0.0, .max = 0.999999}, beta1_);
    v.field({.name = "beta2", .doc = "memory of the squared gradient's mean", .min = 0.0, .max = 0.999999},
            beta2_);
    v.field({.name = "epsilon", .doc = "added to the divisor", .min = 1e-16, .max = 1.0}, epsilon_);
    v.field(weight_decay_option(), weight_decay_);
  }

  [[nodiscard]] std::vector<std::string_view> moments() const override { return {"mean", "square"}; }

  void apply(const parameter_update& u) const override {
    const adam_correction correction(beta1_, beta2_, u.step);
    const adam_terms terms{
        .mean = u.moments[0].data(),
        .square = u.moments[1].data(),
        .keep_mean = static_cast<float>(beta1_),
        .add_mean = static_cast<float>(1.0 - beta1_),
        .keep_square = static_cast<float>(beta2_),
        .add_square = static_cast<float>(1.0 - beta2_),
        .correction = static_cast<float>(correction.square),
        .epsilon = static_cast<float>(epsilon_),
        .rate = static_cast<float>(u.learning_rate * correction.mean),
        .shrink = static_cast<float>(u.learning_rate * weight_decay_),
    };
    const update_pass pass(u, weight_decay_);
    decoupled_ ? adamw_pass(pass, terms) : adam_pass(pass, terms);
  }

  [[nodiscard]] double learning_rate() const override { return learning_rate_; }

private:
  bool decoupled_;
  double learning_rate_ = 0.001;
  double beta1_ = 0.9;
  double beta2_ = 0.999;
  double epsilon_ = 1e-8;
  double weight_decay_;
};

} // namespace

std::unique_ptr<optimizer> make_adam() {
  return std::make_unique<adam>(false, 0.0);
}
std::unique_ptr<optimizer> make_adamw() {
  return std::make_unique<adam>(true, 0.01);
}

} // namespace triage
