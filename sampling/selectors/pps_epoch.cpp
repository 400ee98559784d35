#include "sampling/inclusion.hpp"
#include "sampling/selectors/selectors.hpp"
#include "sampling/weights.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace triage {

namespace {

constexpr std::size_t largest_block = 131072; ///< its arrays stay in the cache; more points make more blocks

/// Probability-proportional-to-score inclusion with floor, cap and Horvitz-Thompson weights (ALGORITHMS 1.9).
/// The shuffled order of a pass is cut into blocks; each is planned from the newest priorities just before it
/// is trained. A plan that keeps every point is the uniform order, bit for bit. Epochs count samples drawn:
/// with kappa < 1 a pass over the data takes less than one epoch.
class pps_epoch : public selector {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "alpha", .doc = "exponent on the score", .min = 0.0, .max = 10.0}, alpha_);
    v.field({.name = "class_balance",
             .doc = "how much points of rare classes are preferred: exponent on the average size of a class "
                    "over that of the point's; 0: not at all, 1: every class as often. Needs a larger pi_max",
             .min = 0.0,
             .max = 4.0},
            class_balance_);
    v.field(
        {.name = "kappa",
         .doc = "share of the points that a plan keeps; null: the smallest that stays in the noise budget",
         .min = 0.01,
         .max = 1.0},
        kappa_);
    v.field({.name = "kappa_min", .doc = "smallest share when kappa is null", .min = 0.01, .max = 1.0},
            kappa_min_);
    v.field({.name = "pi_min", .doc = "smallest inclusion probability", .min = 1e-3, .max = 1.0}, pi_min_);
    v.field({.name = "pi_max", .doc = "largest expected number of visits per pass", .min = 1.0, .max = 16.0},
            pi_max_);
    v.field(
        {.name = "noise_budget", .doc = "largest noise v that a plan may add when kappa is null", .min = 0.0},
        noise_budget_);
    v.field({.name = "weights", .doc = "importance correction; see Weights"}, weights_);
    v.field({.name = "weight_clip", .doc = "largest weight of a point", .min = 1.0}, weight_clip_);
    v.field({.name = "winsor_quantile",
             .doc = "scores above this quantile are lowered to it",
             .min = 0.0,
             .max = 1.0},
            winsor_quantile_);
    v.field(
        {.name = "max_age_epochs",
         .doc = "a point that was not trained for so long is taken for certain, two epochs before, since one "
                "that is passed over may wait for so much longer",
         .min = 2.5},
        max_age_);
    v.field({.name = "blocks_per_pass",
             .doc = "a pass is planned in so many parts, each from the newest scores",
             .min = 1,
             .max = 1000},
            blocks_);
    v.field({.name = "step_gain_max",
             .doc = "largest factor by which a planned step may be longer than a uniform one; above 1 it "
                    "acts like a "
                    "larger learning rate",
             .min = 0.01},
            step_gain_max_);
  }

  result<void> prepare(const json_place& place) override {
    auto policy = make_weight_policy(weights_, {place.source, place.pointer + "/weights"});
    if (!policy.ok())
      return policy.error();
    policy_ = policy.take();
    if (kappa_ && *kappa_ < pi_min_)
      return json_error(
          {place.source, place.pointer + "/kappa"}, json_value(),
          fmt::format("a plan cannot keep {} of the points when each is kept with a probability "
                      "of {} at least; lower \"pi_min\"",
                      *kappa_, pi_min_));
    return {};
  }

  [[nodiscard]] bool needs_classes() const override { return class_balance_ != 0.0; }
  void know_classes(const point_classes& classes) override {
    if (class_balance_ == 0.0 || !classes.known())
      return;
    classes_ = classes;
    factors_ = classes.shares();
    for (double& f : factors_)
      f = f > 0.0 ? std::pow(static_cast<double>(factors_.size()) * f, -class_balance_) : 1.0;
  }

  [[nodiscard]] std::size_t candidates(std::size_t, std::size_t points) const override {
    const std::size_t block = (points + blocks() - 1) / blocks();
    return std::clamp<std::size_t>(block, 1, largest_block);
  }

  void plan(const plan_request& request, rng& random, selection_plan& out) override {
    const auto ids = request.candidates;
    if (kappa_ && *kappa_ >= 1.0) {
      out.ids.assign(ids.begin(), ids.end());
      out.weights.assign(ids.size(), 1.0F);
      figures_ = {1.0, 1.0, ""};
      return;
    }
    look_up(request);
    const double limit = winsor_limit(sizes_, winsor_quantile_, scratch_);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const double size = std::min(sizes_[i], limit);
      const double rarity = factors_.empty() ? 1.0 : factors_[classes_.of(ids[i])];
      if (strengths_[i] == 0.0)
        strengths_[i] = rarity * strength(size);
      sizes_[i] = size * rarity;
    }
    const inclusion_rule rule = this->rule();
    plan_inclusion(strengths_, sizes_, rule, plan_);
    figures_ = {plan_.kappa, plan_.gain, ""};
    // A plan's step may be longer than a uniform one: by 1/kappa, which is what weights 1/pi amount to, but
    // only as far as the noise falls, and not further than the learning rate has room for.
    const double longer = std::min({1.0 / plan_.kappa, plan_.gain, step_gain_max_});
    frequencies_.clear();
    frequencies_.reserve(ids.size());
    out.ids.reserve(ids.size());
    systematic_sample(plan_.probability, random, [&](std::size_t i, std::uint32_t copies) {
      for (std::uint32_t k = 0; k < copies; ++k) {
        out.ids.push_back(ids[i]);
        frequencies_.push_back(plan_.probability[i]);
      }
    });
    out.frequencies.assign(frequencies_.begin(), frequencies_.end());
    out.weights.resize(out.ids.size());
    policy_->apply(frequencies_, rule.smallest, request.progress.fraction, out.weights);
    const auto step_scale = static_cast<float>(longer / mean_weight(out.weights));
    for (float& w : out.weights)
      w = step_scale * std::min(w, static_cast<float>(weight_clip_));
  }

  [[nodiscard]] bool uses_ages() const override { return true; }
  [[nodiscard]] bool unbiased() const override { return policy_->unbiased(); }
  [[nodiscard]] double default_warm_epochs() const override { return 1.0; }
  [[nodiscard]] double default_tail_fraction() const override { return 0.125; }
  [[nodiscard]] bool gated_by_default() const override { return true; }
  [[nodiscard]] std::optional<double> potential_gain(const priority_view& priorities) const override {
    priorities.sample(sizes_);
    if (sizes_.empty())
      return std::nullopt;
    winsorise(sizes_, winsor_quantile_, scratch_);
    strengths_ = sizes_;
    for (double& s : strengths_)
      s = strength(s);
    plan_inclusion(strengths_, sizes_, rule(), plan_);
    return plan_.gain;
  }
  [[nodiscard]] selector_figures figures() const override { return figures_; }

private:
  /// The priorities of the candidates, and a strength of -1 for those that are certain, else 0. Where scores
  /// do not count, nobody has to be seen first; who was not has the mean size of the others.
  void look_up(const plan_request& request) {
    const auto& priorities = request.priorities;
    const auto ids = request.candidates;
    sizes_.resize(ids.size());
    strengths_.resize(ids.size());
    constexpr std::size_t ahead = 32; // ids are in random order: their priorities are cold
    // A point that is passed over now may come last in the next pass: two epochs later at the most.
    const double oldest = max_age_ - 2.0;
    const bool scores_count = alpha_ != 0.0;
    double known = 0.0;
    unseen_.clear();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i + ahead < ids.size())
        priorities.table().prefetch(ids[i + ahead]);
      sizes_[i] = static_cast<double>(priorities.weight(ids[i]));
      const bool seen = priorities.seen(ids[i]);
      if (seen)
        known += sizes_[i];
      else if (!scores_count)
        unseen_.push_back(i);
      const bool certain = (!seen && scores_count) ||
                           priorities.table().epochs_since_trained(ids[i], request.progress.epochs) > oldest;
      strengths_[i] = certain ? -1.0 : 0.0;
    }
    for (const std::size_t i : unseen_)
      sizes_[i] =
          unseen_.size() < ids.size() ? known / static_cast<double>(ids.size() - unseen_.size()) : 1.0;
  }
  // Plans over millions of points ask for each: the presets' exponents take no call of pow.
  [[nodiscard]] double strength(double size) const {
    return alpha_ == 1.0 ? size : alpha_ == 0.5 ? std::sqrt(size) : std::pow(size, alpha_);
  }
  /// Of the chosen points. Weights 1/pi have 1/kappa as their expectation, and what they happen to have must
  /// not change them: they would not be unbiased any more.
  [[nodiscard]] double mean_weight(const std::vector<float>& weights) const {
    if (policy_->unbiased() || weights.empty())
      return 1.0 / plan_.kappa;
    return std::accumulate(weights.begin(), weights.end(), 0.0) / static_cast<double>(weights.size());
  }
  [[nodiscard]] inclusion_rule rule() const {
    return {pi_min_, pi_max_, noise_budget_, kappa_min_, kappa_.value_or(0.0)};
  }
  [[nodiscard]] std::size_t blocks() const { return static_cast<std::size_t>(blocks_); }

  double alpha_ = 1.0;
  double class_balance_ = 0.0;
  std::optional<double> kappa_;
  double kappa_min_ = 0.3;
  double pi_min_ = 0.1;
  double pi_max_ = 1.0;
  double noise_budget_ = 0.25;
  json_value weights_ = json_value("ht");
  double weight_clip_ = 10.0;
  double winsor_quantile_ = 0.97;
  double max_age_ = 10.0;
  double step_gain_max_ = 1.0;
  std::int64_t blocks_ = 4;

  point_classes classes_;
  std::vector<double> factors_; ///< of each class; empty: classes do not matter
  std::unique_ptr<weight_policy> policy_;
  selector_figures figures_;
  // Memory that is used again by every plan and look.
  mutable inclusion_plan plan_;
  mutable std::vector<double> sizes_;
  mutable std::vector<double> strengths_;
  mutable std::vector<double> scratch_;
  std::vector<double> frequencies_;
  std::vector<std::size_t> unseen_;
};

} // namespace

std::unique_ptr<selector> make_pps_epoch() {
  return std::make_unique<pps_epoch>();
}

} // namespace triage
