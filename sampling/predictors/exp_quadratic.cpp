#include "sampling/predictors/predictors.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace triage {

namespace {

/// p(v) = p * exp(c1 d + c2 d^2), d = v - v_last: the curve whose logarithm goes through the last three
/// measurements, smoothed; a straight line until there are three of them.
class exp_quadratic : public predictor {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "smoothing",
             .doc = "weight of the curve through the last three measurements",
             .min = 0.0,
             .max = 1.0},
            smoothing_);
  }
  void start(std::size_t points) override {
    for (auto* values : {&slopes_, &bends_, &last_ratios_, &last_distances_})
      values->assign(points, 0.0F);
  }

  float measured(std::uint32_t id, const measurement* before, const measurement& now) override {
    if (before == nullptr || now.version == before->version)
      return now.value;
    // With l(d) = c1 d + c2 d^2 around the new point: l(-x) = -r and l(-x - x') = -(r + r').
    const double x = static_cast<double>(now.version - before->version);
    const double r = log_ratio(before->value, now.value);
    const double far = x + static_cast<double>(last_distances_[id]);
    double slope = r / x;
    double bend = 0.0;
    if (far > x) {
      const double all = r + static_cast<double>(last_ratios_[id]);
      bend = (r / x - all / far) / (far - x);
      slope = r / x + bend * x;
    }
    const auto blend = [&](float& old, double fresh) {
      old = static_cast<float>(smoothing_ * fresh + (1.0 - smoothing_) * static_cast<double>(old));
    };
    blend(slopes_[id], slope);
    blend(bends_[id], bend);
    last_ratios_[id] = static_cast<float>(r);
    last_distances_[id] = static_cast<float>(x);
    return now.value;
  }
  [[nodiscard]] float predict(std::uint32_t id, const measurement& last, std::uint64_t now) const override {
    const double d = static_cast<double>(now) - static_cast<double>(last.version);
    const double exponent =
        std::clamp(d * (static_cast<double>(slopes_[id]) + d * static_cast<double>(bends_[id])), deepest_fall,
                   highest_rise);
    return last.value * static_cast<float>(std::exp(exponent));
  }
  [[nodiscard]] bool extrapolates() const override { return true; }

  [[nodiscard]] saved_state save() const override {
    saved_state state;
    state.put("slopes", slopes_);
    state.put("bends", bends_);
    state.put("last_ratios", last_ratios_);
    state.put("last_distances", last_distances_);
    return state;
  }
  result<void> load(const saved_state& state) override {
    const auto take = [&](std::string_view name, std::vector<float>& into) -> result<void> {
      auto values = get_per_point(state, name, into.size());
      if (!values.ok())
        return values.error();
      into = values.take();
      return {};
    };
    if (auto r = take("slopes", slopes_); !r.ok())
      return r;
    if (auto r = take("bends", bends_); !r.ok())
      return r;
    if (auto r = take("last_ratios", last_ratios_); !r.ok())
      return r;
    return take("last_distances", last_distances_);
  }

private:
  double smoothing_ = 0.8;
  std::vector<float> slopes_, bends_, last_ratios_, last_distances_;
};

} // namespace

std::unique_ptr<predictor> make_exp_quadratic() {
  return std::make_unique<exp_quadratic>();
}

} // namespace triage
