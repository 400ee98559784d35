#include "sampling/predictors/predictors.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace triage {

namespace {

/// p(v) = p * exp(a (v - v_last)), with the rate a smoothed over the measurements (ALGORITHMS 1.1).
class exp_linear : public predictor {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "smoothing",
             .doc = "weight of the rate between the last two measurements",
             .min = 0.0,
             .max = 1.0},
            smoothing_);
  }
  void start(std::size_t points) override { rates_.assign(points, 0.0F); }

  float measured(std::uint32_t id, const measurement* before, const measurement& now) override {
    if (before == nullptr || now.version == before->version)
      return now.value; // two measurements at one version say nothing about a rate
    const double rate =
        log_ratio(before->value, now.value) / static_cast<double>(now.version - before->version);
    rates_[id] = static_cast<float>(smoothing_ * rate + (1.0 - smoothing_) * static_cast<double>(rates_[id]));
    return now.value;
  }
  [[nodiscard]] float predict(std::uint32_t id, const measurement& last, std::uint64_t now) const override {
    const double distance = static_cast<double>(now) - static_cast<double>(last.version);
    const double exponent =
        std::clamp(static_cast<double>(rates_[id]) * distance, deepest_fall, highest_rise);
    return last.value * static_cast<float>(std::exp(exponent));
  }
  [[nodiscard]] bool extrapolates() const override { return true; }

  [[nodiscard]] saved_state save() const override {
    saved_state state;
    state.put("rates", rates_);
    return state;
  }
  result<void> load(const saved_state& state) override {
    auto rates = get_per_point(state, "rates", rates_.size());
    if (!rates.ok())
      return rates.error();
    rates_ = rates.take();
    return {};
  }

private:
  double smoothing_ = 0.8;
  std::vector<float> rates_; ///< per version
};

} // namespace

std::unique_ptr<predictor> make_exp_linear() {
  return std::make_unique<exp_linear>();
}

} // namespace triage
