#include "nn/optimizers/adam_correction.hpp"
#include "nn/optimizers/inner_loop.hpp"
#include "nn/optimizers/optimizers.hpp"

namespace triage {

namespace {

struct tradam_terms {
  anchor_terms anchor;
  float* mean;
  float* square;
  float keep_mean, add_mean;
  float keep_square, add_square;
  float correction; ///< of the root
  float epsilon;
  float rate; ///< with the correction of the mean
};

template <bool Decays>
TRIAGE_INLINE void tradam_loop(const update_pass p, const tradam_terms t) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < p.size; ++i) {
    const float g = t.anchor.gradient_at<Decays>(p, i);
    const float mean = t.keep_mean * t.mean[i] + t.add_mean * g;
    const float square = t.keep_square * t.square[i] + t.add_square * g * g;
    t.mean[i] = mean;
    t.square[i] = square;
    p.next[i] = p.parameters[i] - t.rate * mean / (std::sqrt(square) * t.correction + t.epsilon);
  }
}

TRIAGE_MULTIVERSION void tradam_pass(const update_pass& p, const tradam_terms& t) {
  p.decays() ? tradam_loop<true>(p, t) : tradam_loop<false>(p, t);
}

/// Adam in inner loops; the moments go on from loop to loop.
class tradam : public optimizer {
public:
  void visit(option_visitor& v) override {
    v.field(learning_rate_option(), learning_rate_);
    v.field({.name = "beta1", .doc = "memory of the gradient's mean", .min = 0.0, .max = 0.999999}, beta1_);
    v.field({.name = "beta2", .doc = "memory of the squared gradient's mean", .min = 0.0, .max = 0.999999},
            beta2_);
    v.field({.name = "epsilon", .doc = "added to the divisor", .min = 1e-16, .max = 1.0}, epsilon_);
    loop_.visit(v);
    v.field(weight_decay_option(), weight_decay_);
  }

  [[nodiscard]] std::vector<std::string_view> moments() const override {
    return {"mean", "square", "anchor"};
  }

  void apply(const parameter_update& u) const override {
    const adam_correction correction(beta1_, beta2_, u.step);
    tradam_pass(update_pass(u, weight_decay_),
                {.anchor = {u.moments[2].data(), loop_.pull(u, learning_rate_), loop_.index(u) == 0},
                 .mean = u.moments[0].data(),
                 .square = u.moments[1].data(),
                 .keep_mean = static_cast<float>(beta1_),
                 .add_mean = static_cast<float>(1.0 - beta1_),
                 .keep_square = static_cast<float>(beta2_),
                 .add_square = static_cast<float>(1.0 - beta2_),
                 .correction = static_cast<float>(correction.square),
                 .epsilon = static_cast<float>(epsilon_),
                 .rate = static_cast<float>(loop_.rate(u) * correction.mean)});
  }

  [[nodiscard]] double learning_rate() const override { return learning_rate_; }

private:
  double learning_rate_ = 0.001;
  double beta1_ = 0.9;
  double beta2_ = 0.999;
  double epsilon_ = 1e-8;
  inner_loop loop_;
  double weight_decay_ = 0.0;
};

} // namespace

std::unique_ptr<optimizer> make_tradam() {
  return std::make_unique<tradam>();
}

} // namespace triage
