#include "nn/optimizers/inner_loop.hpp"
#include "nn/optimizers/optimizers.hpp"

namespace triage {

namespace {

struct trsgd_terms {
  anchor_terms anchor;
  float* velocity;
  float momentum;
  float rate;
};

template <bool Decays>
TRIAGE_INLINE void trsgd_loop(const update_pass p, const trsgd_terms t) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < p.size; ++i) {
    const float velocity = t.momentum * t.velocity[i] + t.anchor.gradient_at<Decays>(p, i);
    t.velocity[i] = velocity;
    p.next[i] = p.parameters[i] - t.rate * velocity;
  }
}

TRIAGE_MULTIVERSION void trsgd_pass(const update_pass& p, const trsgd_terms& t) {
  p.decays() ? trsgd_loop<true>(p, t) : trsgd_loop<false>(p, t);
}

/// SGD with momentum in inner loops; the velocity goes on from loop to loop.
class trsgd : public optimizer {
public:
  void visit(option_visitor& v) override {
    v.field(learning_rate_option(), learning_rate_);
    v.field({.name = "momentum", .doc = "share of the velocity that is kept", .min = 0.0, .max = 0.99999},
            momentum_);
    loop_.visit(v);
    v.field(weight_decay_option(), weight_decay_);
  }

  [[nodiscard]] std::vector<std::string_view> moments() const override { return {"velocity", "anchor"}; }

  void apply(const parameter_update& u) const override {
    trsgd_pass(update_pass(u, weight_decay_),
               {.anchor = {u.moments[1].data(), loop_.pull(u, learning_rate_), loop_.index(u) == 0},
                .velocity = u.moments[0].data(),
                .momentum = static_cast<float>(momentum_),
                .rate = static_cast<float>(loop_.rate(u))});
  }

  [[nodiscard]] double learning_rate() const override { return learning_rate_; }

private:
  double learning_rate_ = 0.1;
  double momentum_ = 0.9;
  inner_loop loop_;
  double weight_decay_ = 0.0;
};

} // namespace

std::unique_ptr<optimizer> make_trsgd() {
  return std::make_unique<trsgd>();
}

} // namespace triage
