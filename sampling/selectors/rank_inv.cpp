#include "sampling/selectors/ranked.hpp"
#include "sampling/selectors/selectors.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

/// The rank-based variant of prioritized replay (Schaul et al. 2016): p ~ (1 / rank)^alpha, ranks from 1.
class rank_inv : public ranked_selector {
public:
  rank_inv() : ranked_selector("beta_maxnorm") {}
  void visit(option_visitor& v) override {
    v.field({.name = "alpha", .doc = "exponent on the inverse rank; 0: uniform", .min = 0.0, .max = 10.0},
            alpha_);
    ranked_selector::visit(v);
  }
  void start(std::size_t points) override {
    ranked_selector::start(points);
    cumulative_.resize(points);
    double sum = 0.0;
    for (std::size_t i = 0; i < points; ++i)
      cumulative_[i] = sum += std::pow(static_cast<double>(i + 1), -alpha_);
  }

protected:
  [[nodiscard]] std::size_t rank_at(double u) const override {
    const auto at = std::upper_bound(cumulative_.begin(), cumulative_.end(), u * cumulative_.back());
    return static_cast<std::size_t>(at - cumulative_.begin());
  }
  [[nodiscard]] double frequency(std::size_t rank) const override {
    return static_cast<double>(points()) * std::pow(static_cast<double>(rank + 1), -alpha_) /
           cumulative_.back();
  }

private:
  double alpha_ = 0.7;
  std::vector<double> cumulative_;
};

} // namespace

std::unique_ptr<selector> make_rank_inv() {
  return std::make_unique<rank_inv>();
}

} // namespace triage
