#include "nn/optimizers/optimizers.hpp"
#include "nn/optimizers/update_pass.hpp"

namespace triage {

namespace {

struct momentum_terms {
  float* buffer;
  float momentum;
  float of_gradient; ///< the step is of_gradient * d + of_buffer * buffer
  float of_buffer;
};

template <bool Decays>
TRIAGE_INLINE void plain_loop(const update_pass p, float rate) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < p.size; ++i)
    p.next[i] = p.parameters[i] - rate * p.gradient_at<Decays>(i);
}

template <bool Decays>
TRIAGE_INLINE void momentum_loop(const update_pass p, const momentum_terms m, float rate) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < p.size; ++i) {
    const float d = p.gradient_at<Decays>(i);
    const float velocity = m.momentum * m.buffer[i] + d;
    m.buffer[i] = velocity;
    p.next[i] = p.parameters[i] - rate * (m.of_gradient * d + m.of_buffer * velocity);
  }
}

TRIAGE_MULTIVERSION void plain_pass(const update_pass& p, float rate) {
  p.decays() ? plain_loop<true>(p, rate) : plain_loop<false>(p, rate);
}

TRIAGE_MULTIVERSION void momentum_pass(const update_pass& p, const momentum_terms& m, float rate) {
  p.decays() ? momentum_loop<true>(p, m, rate) : momentum_loop<false>(p, m, rate);
}

/// v <- momentum v + d, w <- w - rate v, or with Nesterov w <- w - rate (d + momentum v); d is the gradient
/// plus weight_decay w. The rate is outside the velocity, as in PyTorch and unlike Sutskever et al. (ICML
/// 2013).
class sgd : public optimizer {
public:
  void visit(option_visitor& v) override {
    v.field(learning_rate_option(), learning_rate_);
    v.field({.name = "momentum",
             .doc = "share of the velocity that is kept; 0: none",
             .min = 0.0,
             .max = 0.99999},
            momentum_);
    v.field({.name = "nesterov", .doc = "look ahead along the velocity"}, nesterov_);
    v.field(weight_decay_option(), weight_decay_);
  }

  [[nodiscard]] std::vector<std::string_view> moments() const override {
    if (momentum_ > 0.0)
      return {"velocity"};
    return {};
  }

  void apply(const parameter_update& u) const override {
    const update_pass pass(u, weight_decay_);
    const auto rate = static_cast<float>(u.learning_rate);
    if (momentum_ == 0.0)
      return plain_pass(pass, rate);
    const auto momentum = static_cast<float>(momentum_);
    momentum_pass(pass, {u.moments[0].data(), momentum, nesterov_ ? 1.0F : 0.0F, nesterov_ ? momentum : 1.0F},
                  rate);
  }

  [[nodiscard]] double learning_rate() const override { return learning_rate_; }

  [[nodiscard]] result<void> check() const override {
    if (nesterov_ && momentum_ == 0.0)
      return configuration_error("\"nesterov\" needs a \"momentum\" above 0, e.g. 0.9");
    return {};
  }

private:
  double learning_rate_ = 0.05;
  double momentum_ = 0.0;
  bool nesterov_ = false;
  double weight_decay_ = 0.0;
};

} // namespace

std::unique_ptr<optimizer> make_sgd() {
  return std::make_unique<sgd>();
}

} // namespace triage
