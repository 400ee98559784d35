#include "nn/optimizers/adam_moments.hpp"
#include "nn/optimizers/inner_loop.hpp"
#include "nn/optimizers/optimizers.hpp"

namespace triage {

namespace {

template <bool Decays>
TRIAGE_INLINE void tradam_loop(const update_pass p, const adam_terms a, const anchor_terms anchor) {
  TRIAGE_INDEPENDENT
  for (std::size_t i = 0; i < p.size; ++i)
    p.next[i] = p.parameters[i] - a.move(i, anchor.gradient_at<Decays>(p, i));
}

TRIAGE_MULTIVERSION void tradam_pass(const update_pass& p, const adam_terms& a, const anchor_terms& anchor) {
  p.decays() ? tradam_loop<true>(p, a, anchor) : tradam_loop<false>(p, a, anchor);
}

/// Adam in inner loops; the moments go on from loop to loop.
class tradam : public optimizer {
public:
  void visit(option_visitor& v) override {
    v.field(learning_rate_option(), learning_rate_);
    moments_.visit(v);
    loop_.visit(v);
    v.field(weight_decay_option(), weight_decay_);
  }

  [[nodiscard]] std::vector<std::string_view> moments() const override {
    return {"mean", "square", "anchor"};
  }

  void apply(const parameter_update& u) const override {
    tradam_pass(update_pass(u, weight_decay_), adam_terms(moments_, u, loop_.rate(u)),
                {u.moments[2].data(), loop_.pull(u, learning_rate_), loop_.index(u) == 0});
  }

  [[nodiscard]] double learning_rate() const override { return learning_rate_; }

private:
  double learning_rate_ = 0.001;
  adam_moments moments_;
  inner_loop loop_;
  double weight_decay_ = 0.0;
};

} // namespace

std::unique_ptr<optimizer> make_tradam() {
  return std::make_unique<tradam>();
}

} // namespace triage
