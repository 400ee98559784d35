#include "sampling/selectors/ranked.hpp"
#include "sampling/selectors/selectors.hpp"

#include <cmath>

namespace triage {

namespace {

/// Online batch selection (Loshchilov & Hutter 2015): p(rank) ~ pressure^(-rank / N), where the pressure, the
/// ratio of the largest probability to the smallest, goes geometrically from one value to another.
class rank_exp : public ranked_selector {
public:
  rank_exp() : ranked_selector("none") {}
  void visit(option_visitor& v) override {
    v.field({.name = "pressure",
             .doc = "ratio of the largest probability to the smallest, at the start",
             .min = 1.0,
             .max = 1e9},
            first_);
    v.field({.name = "pressure_end", .doc = "the same at the end of the run", .min = 1.0, .max = 1e9}, last_);
    ranked_selector::visit(v);
  }

protected:
  void set_progress(const sampling_progress& p) override {
    fall_ = (1.0 - p.fraction) * std::log(first_) + p.fraction * std::log(last_);
  }
  [[nodiscard]] std::size_t rank_at(double u) const override {
    const auto n = static_cast<double>(points());
    const double at = fall_ < 1e-9 ? u : -std::log1p(u * std::expm1(-fall_)) / fall_;
    return static_cast<std::size_t>(at * n);
  }
  [[nodiscard]] double frequency(std::size_t rank) const override {
    if (fall_ < 1e-9)
      return 1.0;
    // The integral of the density over the rank's share of [0, 1), times N.
    const auto n = static_cast<double>(points());
    const double begin = static_cast<double>(rank) / n;
    return n * std::exp(-fall_ * begin) * std::expm1(-fall_ / n) / std::expm1(-fall_);
  }

private:
  double first_ = 100.0;
  double last_ = 1.0;
  double fall_ = 0.0; ///< logarithm of the present pressure
};

} // namespace

std::unique_ptr<selector> make_rank_exp() {
  return std::make_unique<rank_exp>();
}

} // namespace triage
