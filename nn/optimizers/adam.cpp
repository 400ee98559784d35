#include "nn/optimizers/adam_moments.hpp"
#include "nn/optimizers/optimizers.hpp"

namespace triage {

namespace {

/// `shrink`: decoupled decay, learning rate * weight decay.
template <bool Decays, bool Decoupled>
TRIAGE_INLINE void adam_loop(const update_pass p, const adam_terms a, float shrink) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < p.size; ++i) {
    const float g = p.gradient_at < Decays && !Decoupled > (i);
    float w = p.parameters[i];
    if constexpr (Decays && Decoupled)
      w -= shrink * w;
    p.next[i] = w - a.move(i, g);
  }
}

TRIAGE_MULTIVERSION void adam_pass(const update_pass& p, const adam_terms& a) {
  p.decays() ? adam_loop<true, false>(p, a, 0.0F) : adam_loop<false, false>(p, a, 0.0F);
}

TRIAGE_MULTIVERSION void adamw_pass(const update_pass& p, const adam_terms& a, float shrink) {
  p.decays() ? adam_loop<true, true>(p, a, shrink) : adam_loop<false, true>(p, a, shrink);
}

/// w <- w - rate m^ / (sqrt(v^) + epsilon) with bias-corrected running means m of the gradient and v of its
/// square. adam adds weight_decay w to the gradient; adamw shrinks w by rate * weight_decay instead.
class adam : public optimizer {
public:
  adam(bool decoupled, double weight_decay) : decoupled_(decoupled), weight_decay_(weight_decay) {}

  void visit(option_visitor& v) override {
    v.field(learning_rate_option(), learning_rate_);
    moments_.visit(v);
    v.field(weight_decay_option(), weight_decay_);
  }

  [[nodiscard]] std::vector<std::string_view> moments() const override { return {"mean", "square"}; }

  void apply(const parameter_update& u) const override {
    const update_pass pass(u, weight_decay_);
    const adam_terms terms(moments_, u, u.learning_rate);
    if (decoupled_)
      adamw_pass(pass, terms, static_cast<float>(u.learning_rate * weight_decay_));
    else
      adam_pass(pass, terms);
  }

  [[nodiscard]] double learning_rate() const override { return learning_rate_; }

private:
  bool decoupled_;
  double learning_rate_ = 0.001;
  adam_moments moments_;
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
