#include "sampling/selectors/selectors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace triage {

namespace {

/// Mindermann et al., ICML 2022: of a pool of candidates the best are trained, without weights. A candidate
/// that was never measured counts as good.
class presample_topb : public selector {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "candidates", .doc = "candidates for each point trained", .min = 1.0, .max = 1000.0},
            factor_);
  }
  [[nodiscard]] std::size_t candidates(std::size_t batch_size, std::size_t points) const override {
    const double wanted = std::ceil(factor_ * static_cast<double>(batch_size));
    return std::min(static_cast<std::size_t>(wanted), points);
  }

  void plan(const plan_request& request, rng&, selection_plan& out) override {
    const auto& priorities = request.priorities;
    // The pool at the end of a pass is smaller: the same share of it.
    const auto share = static_cast<double>(request.candidates.size()) / factor_;
    const std::size_t keep =
        std::clamp<std::size_t>(static_cast<std::size_t>(std::llround(share)), 1, request.candidates.size());
    const auto rank = [&](std::uint32_t id) {
      return priorities.seen(id) ? priorities.rank(id) : std::numeric_limits<float>::infinity();
    };
    out.ids.assign(request.candidates.begin(), request.candidates.end());
    // The candidates are in random order: a stable sort leaves ties to chance.
    std::stable_sort(out.ids.begin(), out.ids.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return rank(a) > rank(b); });
    out.ids.resize(keep);
    out.weights.assign(keep, 1.0F);
  }
  [[nodiscard]] bool unbiased() const override { return false; }
  [[nodiscard]] selector_figures figures() const override { return {1.0 / factor_, std::nullopt, ""}; }

private:
  double factor_ = 10.0;
};

} // namespace

std::unique_ptr<selector> make_presample_topb() {
  return std::make_unique<presample_topb>();
}

} // namespace triage
