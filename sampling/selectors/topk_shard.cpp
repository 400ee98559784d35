#include "sampling/selectors/selectors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace triage {

namespace {

/// Zhou & Gao, IC2E 2021, as in the first author's program: the k points of the shard with the largest
/// priorities, without randomness and without weights. A point that was never measured comes first.
/// Projections of either sign keep their sign here.
class topk_shard : public selector {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "share",
             .doc = "part of the points that is chosen, then trained in batches, then chosen anew; the "
                    "paper's iteration is a batch of as many points",
             .min = 1e-6,
             .max = 1.0},
            share_);
  }
  [[nodiscard]] std::size_t candidates(std::size_t, std::size_t) const override { return 0; }

  void plan(const plan_request& request, rng& random, selection_plan& out) override {
    const auto& priorities = request.priorities;
    const std::size_t n = priorities.size();
    const std::size_t k =
        std::clamp<std::size_t>(static_cast<std::size_t>(std::floor(share_ * static_cast<double>(n))), 1, n);
    ranks_.resize(n);
    for (std::uint32_t id = 0; id < n; ++id)
      ranks_[id] = priorities.seen(id) ? priorities.rank(id) : std::numeric_limits<float>::infinity();
    out.ids.resize(n);
    std::iota(out.ids.begin(), out.ids.end(), 0U);
    // Ties go to the lower number, so that the choice is a function of the priorities.
    const auto before = [&](std::uint32_t a, std::uint32_t b) {
      return ranks_[a] != ranks_[b] ? ranks_[a] > ranks_[b] : a < b;
    };
    if (k < n)
      std::nth_element(out.ids.begin(), out.ids.begin() + static_cast<std::ptrdiff_t>(k), out.ids.end(),
                       before);
    out.ids.resize(k);
    std::sort(out.ids.begin(), out.ids.end());
    if (k > request.batch_size)
      shuffle(out.ids, random); // several batches: each should look like the others
    out.weights.assign(k, 1.0F);
  }
  [[nodiscard]] bool unbiased() const override { return false; }
  [[nodiscard]] selector_figures figures() const override { return {share_, std::nullopt, ""}; }

private:
  double share_ = 0.04;
  std::vector<float> ranks_;
};

} // namespace

std::unique_ptr<selector> make_topk_shard() {
  return std::make_unique<topk_shard>();
}

} // namespace triage
