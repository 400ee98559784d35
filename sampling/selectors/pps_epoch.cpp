#include "sampling/epoch_order.hpp"
#include "sampling/inclusion.hpp"
#include "sampling/selectors/selectors.hpp"
#include "sampling/weights.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

constexpr std::size_t blocks_per_pass = 4;
constexpr std::size_t largest_block = 131072; ///< its arrays stay in the cache; more points make more blocks

/// Probability-proportional-to-score inclusion with floor, cap and Horvitz-Thompson weights (ALGORITHMS 1.9).
/// The shuffled order of a pass is cut into four blocks; each is planned from the newest priorities just
/// before it is trained. A plan that keeps every point is the uniform order, bit for bit. Epochs count
/// samples drawn: with kappa < 1 a pass over the data takes less than one epoch.
class pps_epoch : public selector {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "alpha", .doc = "exponent on the score", .min = 0.0, .max = 10.0}, alpha_);
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
    v.field({.name = "max_age_epochs",
             .doc = "a point that was not trained for so long is taken for certain",
             .min = 0.0},
            max_age_);
    v.field({.name = "warm_epochs",
             .doc = "epochs of uniform order at the start, which collect scores",
             .min = 0.0},
            warm_epochs_);
    v.field({.name = "tail_uniform_fraction",
             .doc = "share of the run at its end that is uniform",
             .min = 0.0,
             .max = 1.0},
            tail_fraction_);
    v.field({.name = "step_gain_max",
             .doc = "largest factor by which a planned step may be longer than a uniform one; above 1 it "
                    "acts like a "
                    "larger learning rate",
             .min = 0.01},
            step_gain_max_);
    v.field({.name = "gate_gain",
             .doc = "a block is planned only where the predicted gain is at least this",
             .min = 0.0},
            gate_gain_);
  }

  result<void> prepare(const json_place& place) override {
    auto policy = make_weight_policy(weights_, {place.source, place.pointer + "/weights"});
    if (!policy.ok())
      return policy.error();
    policy_ = policy.take();
    return {};
  }

  void start(std::size_t points) override { order_.start(points); }

  void draw(std::size_t count, const priority_table& priorities, const sampling_progress& progress,
            rng& random, drawn_batch& out) override {
    out.ids.clear();
    out.weights.clear();
    while (out.ids.size() < count) {
      if (next_ == planned_.ids.size()) {
        // A pass ends with a smaller batch, as it does in uniform order, unless a plan left less than half of
        // one.
        if (order_.left() == 0 && (uniform_plan_ ? !out.ids.empty() : 2 * out.ids.size() >= count))
          return;
        order_.begin_pass_if_needed(random);
        plan_block(priorities, progress, random);
        continue;
      }
      const std::size_t n = std::min(count - out.ids.size(), planned_.ids.size() - next_);
      const auto at = static_cast<std::ptrdiff_t>(next_);
      const auto end = static_cast<std::ptrdiff_t>(next_ + n);
      out.ids.insert(out.ids.end(), planned_.ids.begin() + at, planned_.ids.begin() + end);
      out.weights.insert(out.weights.end(), planned_.weights.begin() + at, planned_.weights.begin() + end);
      next_ += n;
    }
  }

  [[nodiscard]] bool uses_priorities() const override { return true; }
  [[nodiscard]] bool uses_ages() const override { return true; }
  [[nodiscard]] bool unbiased() const override { return policy_->unbiased(); }
  [[nodiscard]] selector_figures figures() const override { return figures_; }

  [[nodiscard]] saved_state save() const override {
    saved_state state;
    state.put_all("order", order_.save());
    state.put("plan/ids", planned_.ids);
    state.put("plan/weights", planned_.weights);
    state.put("plan/next", std::vector<std::uint64_t>{next_, uniform_plan_ ? 1U : 0U});
    state.put("plan/figures",
              std::vector<double>{figures_.kappa.value_or(1.0), figures_.predicted_gain.value_or(1.0)});
    state.put_text("plan/phase", figures_.phase);
    return state;
  }

  result<void> load(const saved_state& state) override {
    if (auto loaded = order_.load(state.below("order")); !loaded.ok())
      return loaded;
    auto ids = state.get<std::uint32_t>("plan/ids");
    auto weights = state.get<float>("plan/weights");
    const auto next = state.get<std::uint64_t>("plan/next");
    const auto figures = state.get<double>("plan/figures");
    const auto phase = state.get_text("plan/phase");
    for (const auto* problem :
         {ids.ok() ? nullptr : &ids.error(), weights.ok() ? nullptr : &weights.error(),
          next.ok() ? nullptr : &next.error(), figures.ok() ? nullptr : &figures.error(),
          phase.ok() ? nullptr : &phase.error()})
      if (problem != nullptr)
        return *problem;
    if (ids->size() != weights->size() || next->size() != 2 || (*next)[0] > ids->size() ||
        figures->size() != 2 ||
        std::any_of(ids->begin(), ids->end(), [&](auto i) { return i >= order_.points(); }))
      return data_error("the saved sampling plan contradicts itself");
    planned_ = {ids.take(), weights.take()};
    next_ = static_cast<std::size_t>((*next)[0]);
    uniform_plan_ = (*next)[1] != 0;
    figures_ = {(*figures)[0], (*figures)[1], *phase};
    return {};
  }

private:
  void plan_block(const priority_table& priorities, const sampling_progress& progress, rng& random) {
    const std::size_t n = order_.points();
    const std::size_t block =
        std::clamp<std::size_t>((n + blocks_per_pass - 1) / blocks_per_pass, 1, largest_block);
    const auto ids = order_.take(std::min(block, order_.left()));
    next_ = 0;
    planned_.ids.clear();
    planned_.weights.clear();
    uniform_plan_ = true;
    if (progress.epochs < warm_epochs_)
      return keep_all(ids, "warm-up");
    if (progress.fraction >= 1.0 - tail_fraction_)
      return keep_all(ids, "uniform tail");
    if (kappa_ && *kappa_ >= 1.0)
      return keep_all(ids, "uniform");

    sizes_.resize(ids.size());
    strengths_.resize(ids.size());
    constexpr std::size_t ahead = 32; // ids are in random order: their priorities are cold
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i + ahead < ids.size())
        priorities.prefetch(ids[i + ahead]);
      sizes_[i] = static_cast<double>(priorities.value(ids[i]));
      // A point that is passed over now may come last in the next pass: two epochs later at the most.
      const bool certain = !priorities.seen(ids[i]) ||
                           priorities.epochs_since_trained(ids[i], progress.epochs) > max_age_ - 2.0;
      strengths_[i] = certain ? -1.0 : 0.0;
    }
    winsorise(sizes_, winsor_quantile_, scratch_);
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (strengths_[i] == 0.0)
        strengths_[i] = alpha_ == 1.0 ? sizes_[i] : std::pow(sizes_[i], alpha_);
    const inclusion_rule rule{pi_min_, pi_max_, noise_budget_, kappa_min_, kappa_.value_or(0.0)};
    plan_inclusion(strengths_, sizes_, rule, plan_);
    figures_.predicted_gain = plan_.gain;
    if (plan_.gain < gate_gain_)
      return keep_all(ids, "gated off");
    uniform_plan_ = false;
    figures_.kappa = plan_.kappa;
    figures_.phase = "prioritized";
    // A plan's step may be longer than a uniform one: by 1/kappa, which is what weights 1/pi amount to, but
    // only as far as the noise falls, and not further than the learning rate has room for.
    const double longer = std::min({1.0 / plan_.kappa, plan_.gain, step_gain_max_});
    const auto step_scale = static_cast<float>(longer * plan_.kappa);
    systematic_sample(plan_.probability, random, [&](std::size_t i, std::uint32_t copies) {
      const float w = policy_->weight(plan_.probability[i], rule.smallest, progress.fraction);
      for (std::uint32_t k = 0; k < copies; ++k) {
        planned_.ids.push_back(ids[i]);
        planned_.weights.push_back(step_scale * std::min(w, static_cast<float>(weight_clip_)));
      }
    });
  }

  void keep_all(std::span<const std::uint32_t> ids, const char* phase) {
    planned_.ids.assign(ids.begin(), ids.end());
    planned_.weights.assign(ids.size(), 1.0F);
    figures_.kappa = 1.0;
    figures_.phase = phase;
  }

  double alpha_ = 1.0;
  std::optional<double> kappa_;
  double kappa_min_ = 0.3;
  double pi_min_ = 0.1;
  double pi_max_ = 1.0;
  double noise_budget_ = 0.25;
  json_value weights_ = json_value("ht");
  double weight_clip_ = 10.0;
  double winsor_quantile_ = 0.97;
  double max_age_ = 10.0;
  double warm_epochs_ = 1.0;
  double tail_fraction_ = 0.125;
  double gate_gain_ = 1.2;
  double step_gain_max_ = 1.0;

  std::unique_ptr<weight_policy> policy_;
  epoch_order order_;
  drawn_batch planned_;
  std::size_t next_ = 0;
  bool uniform_plan_ = true;
  selector_figures figures_;
  inclusion_plan plan_;
  std::vector<double> sizes_;
  std::vector<double> strengths_;
  std::vector<double> scratch_;
};

} // namespace

std::unique_ptr<selector> make_pps_epoch() {
  return std::make_unique<pps_epoch>();
}

} // namespace triage
