#include "sampling/predictors/predictors.hpp"

namespace triage {

namespace {

/// For scores that are noisy from pass to pass (augmentation, dropout).
class ema : public predictor {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "new_share",
             .doc = "weight of a new measurement; 1: nothing is averaged",
             .min = 0.01,
             .max = 1.0},
            share_);
  }
  void start(std::size_t) override {}
  float measured(std::uint32_t, const measurement* before, const measurement& now) override {
    return before == nullptr ? now.value
                             : before->value + static_cast<float>(share_) * (now.value - before->value);
  }
  [[nodiscard]] saved_state save() const override { return {}; }
  result<void> load(const saved_state&) override { return {}; }

private:
  double share_ = 0.5;
};

} // namespace

std::unique_ptr<predictor> make_ema() {
  return std::make_unique<ema>();
}

} // namespace triage
