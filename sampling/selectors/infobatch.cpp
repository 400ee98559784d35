#include "sampling/inclusion.hpp"
#include "sampling/selectors/selectors.hpp"

#include <numeric>

namespace triage {

namespace {

/// Qin et al., ICLR 2024: once a pass, points whose score is below the mean are dropped with one probability,
/// and those of them that stay weigh so much more. The expected step is N / |S| times as long as that of the
/// full set: so a shorter pass makes the same progress, which must not be normalised away. Points that were
/// never measured stay.
class infobatch : public selector {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "prune_probability",
             .doc = "probability of dropping a point below the mean",
             .min = 0.0,
             .max = 0.99},
            prune_);
  }
  [[nodiscard]] std::size_t candidates(std::size_t, std::size_t points) const override { return points; }

  void plan(const plan_request& request, rng& random, selection_plan& out) override {
    const auto& priorities = request.priorities;
    sizes_.clear();
    probability_.clear();
    double sum = 0.0;
    double seen = 0.0;
    for (const auto id : request.candidates)
      if (priorities.seen(id)) {
        sum += static_cast<double>(priorities.rank(id));
        seen += 1.0;
      }
    const double mean = seen > 0.0 ? sum / seen : 0.0;
    const auto weight = static_cast<float>(1.0 / (1.0 - prune_));
    for (const auto id : request.candidates) {
      const auto score = static_cast<double>(priorities.rank(id));
      const bool easy = priorities.seen(id) && score < mean;
      sizes_.push_back(static_cast<double>(priorities.weight(id)));
      probability_.push_back(easy ? 1.0 - prune_ : 1.0);
      if (easy && random.uniform() < prune_)
        continue;
      out.add(id, easy ? weight : 1.0F);
      out.frequencies.push_back(easy ? 1.0F / weight : 1.0F);
    }
    const auto gain = gain_of(probability_, sizes_);
    figures_ = {gain.kappa, gain.gain, ""};
  }
  [[nodiscard]] bool unbiased() const override { return true; }
  [[nodiscard]] double default_tail_fraction() const override { return 0.125; }
  [[nodiscard]] std::optional<double> potential_gain(const priority_view& priorities) const override {
    const auto sizes = priorities.sample();
    if (sizes.empty())
      return std::nullopt;
    const double mean = std::accumulate(sizes.begin(), sizes.end(), 0.0) / static_cast<double>(sizes.size());
    std::vector<double> probability;
    probability.reserve(sizes.size());
    for (const double s : sizes)
      probability.push_back(s < mean ? 1.0 - prune_ : 1.0);
    return gain_of(probability, sizes).gain;
  }
  [[nodiscard]] selector_figures figures() const override { return figures_; }

private:
  double prune_ = 0.5;
  selector_figures figures_;
  std::vector<double> sizes_;
  std::vector<double> probability_;
};

} // namespace

std::unique_ptr<selector> make_infobatch() {
  return std::make_unique<infobatch>();
}

} // namespace triage
