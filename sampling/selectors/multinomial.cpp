#include "sampling/selectors/selectors.hpp"
#include "sampling/sum_tree.hpp"
#include "sampling/weights.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace triage {

namespace {

constexpr double rebuilds_per_epoch = 16.0; ///< of the tree, where priorities move without measurements

/// Draws with replacement, in proportion to priority^alpha + smoothing, mixed with a uniform floor:
/// p_i = (1 - uniform_share) * q_i + uniform_share / N. From all points, where those never scored count like
/// a priority of 1, or from a pool of candidates.
class multinomial : public selector {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "alpha", .doc = "exponent on the priority; 0: uniform", .min = 0.0, .max = 10.0},
            alpha_);
    v.field({.name = "smoothing",
             .doc = "added to each powered priority (Alain et al. 2015: 0.1 to 10)",
             .min = 0.0},
            smoothing_);
    v.field({.name = "uniform_share",
             .doc = "share of the draws that ignores priorities",
             .min = 0.0,
             .max = 1.0},
            uniform_share_);
    v.field({.name = "candidates",
             .doc = "null: draw among all points; k: among pools of k candidates for each point trained "
                    "(Katharopoulos & Fleuret 2018: 3)",
             .min = 1.0,
             .max = 1000.0},
            pool_factor_);
    v.field({.name = "weights", .doc = "importance correction; see Weights"}, weights_);
  }
  result<void> prepare(const json_place& place) override {
    auto policy = make_weight_policy(weights_, {place.source, place.pointer + "/weights"});
    if (!policy.ok())
      return policy.error();
    policy_ = policy.take();
    return {};
  }

  void start(std::size_t points) override {
    if (pool_factor_)
      return;
    tree_.emplace(points);
    tree_->assign(std::vector<float>(points, strength(1.0F)));
  }
  [[nodiscard]] std::size_t candidates(std::size_t batch_size, std::size_t points) const override {
    if (!pool_factor_)
      return 0;
    return std::min(static_cast<std::size_t>(std::ceil(*pool_factor_ * static_cast<double>(batch_size))),
                    points);
  }

  void priority_changed(std::uint32_t id, float priority) override {
    if (tree_)
      tree_->set(id, strength(priority));
  }
  void priority_will_change(std::uint32_t id) const override {
    if (tree_)
      tree_->prefetch(id);
  }

  void plan(const plan_request& request, rng& random, selection_plan& out) override {
    if (pool_factor_)
      choose_from_pool(request, random, out);
    else
      choose_from_all(request, random, out);
  }

  [[nodiscard]] bool unbiased() const override { return policy_->unbiased(); }
  /// Of the probabilities; 1 + CV^2 of the priorities where nothing is mixed in (Katharopoulos & Fleuret's
  /// tau squared).
  [[nodiscard]] std::optional<double> potential_gain(const priority_view& priorities) const override {
    const auto sizes = priorities.sample();
    if (sizes.empty())
      return std::nullopt;
    double mean = 0.0;
    for (const double s : sizes)
      mean += static_cast<double>(strength(static_cast<float>(s))) / static_cast<double>(sizes.size());
    double uniform = 0.0;
    double planned = 0.0;
    for (const double s : sizes) {
      uniform += s * s;
      planned += s * s / frequency(static_cast<double>(strength(static_cast<float>(s))) / mean);
    }
    return planned > 0.0 ? uniform / planned : 1.0;
  }

  [[nodiscard]] saved_state save() const override {
    saved_state state;
    if (tree_)
      state.put("weights", std::vector<float>(tree_->weights().begin(), tree_->weights().end()));
    state.put("next_rebuild", std::vector<double>{next_rebuild_});
    state.put("strength", strength_options());
    return state;
  }
  result<void> load(const saved_state& state) override {
    const auto next = state.get_one<double>("next_rebuild");
    if (!next.ok())
      return next.error();
    next_rebuild_ = *next;
    if (!tree_)
      return {};
    // Weights of other options, or none, are made anew from the priorities as soon as those are there.
    const auto strength = state.get<double>("strength");
    if (!strength.ok())
      return strength.error();
    stale_ = *strength != strength_options();
    if (stale_)
      return {};
    const auto weights = state.get<float>("weights");
    if (!weights.ok())
      return weights.error();
    if (weights->size() != tree_->size() ||
        !std::all_of(weights->begin(), weights->end(), [](float w) { return std::isfinite(w) && w >= 0.0F; }))
      return data_error("the saved sampling weights do not fit the data");
    tree_->assign(*weights);
    return {};
  }

private:
  /// What the weights in the tree depend on, and whether there is one.
  [[nodiscard]] std::vector<double> strength_options() const {
    return {alpha_, smoothing_, tree_ ? 1.0 : 0.0};
  }
  /// A float, never infinity: powers of large scores are beyond its range.
  [[nodiscard]] float strength(float priority) const {
    const double powered =
        alpha_ == 1.0 ? static_cast<double>(priority) : std::pow(static_cast<double>(priority), alpha_);
    return static_cast<float>(
        std::min(powered + smoothing_, static_cast<double>(std::numeric_limits<float>::max())));
  }

  void choose_from_all(const plan_request& request, rng& random, selection_plan& out) {
    if (stale_ || (request.priorities.table().extrapolates() && request.progress.epochs >= next_rebuild_))
      rebuild(request);
    const std::size_t count = request.batch_size;
    const auto n = static_cast<double>(tree_->size());
    // Powers of small scores may all be zero: then the tree goes by position, and everybody is equal.
    const double range = tree_->total() > 0.0 ? tree_->total() : n;
    masses_.resize(count);
    by_position_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const bool by_priority = random.uniform() >= uniform_share_;
      const double u = random.uniform();
      masses_[i] = u * range;
      if (!by_priority)
        by_position_.emplace_back(
            i, static_cast<std::uint32_t>(std::min(static_cast<std::size_t>(u * n), tree_->size() - 1)));
    }
    out.ids.resize(count);
    tree_->find(masses_, out.ids);
    for (const auto& [i, id] : by_position_)
      out.ids[i] = id;
    frequencies_.clear();
    for (const auto id : out.ids)
      frequencies_.push_back(tree_->total() > 0.0
                                 ? frequency(n * static_cast<double>(tree_->weight(id)) / tree_->total())
                                 : 1.0);
    finish(request, out);
  }

  void choose_from_pool(const plan_request& request, rng& random, selection_plan& out) {
    const auto pool = request.candidates;
    const auto n = static_cast<double>(pool.size());
    cumulative_.clear();
    double sum = 0.0;
    for (const auto id : pool)
      cumulative_.push_back(sum += static_cast<double>(strength(
                                request.priorities.seen(id) ? request.priorities.weight(id) : 1.0F)));
    const auto wanted = std::clamp<std::size_t>(static_cast<std::size_t>(std::llround(n / *pool_factor_)), 1,
                                                request.batch_size);
    frequencies_.clear();
    for (std::size_t i = 0; i < wanted; ++i) {
      const bool by_priority = random.uniform() >= uniform_share_;
      const double u = random.uniform();
      const auto at =
          by_priority && sum > 0.0
              ? static_cast<std::size_t>(std::upper_bound(cumulative_.begin(), cumulative_.end(), u * sum) -
                                         cumulative_.begin())
              : static_cast<std::size_t>(u * n);
      const std::size_t k = std::min(at, pool.size() - 1);
      const double mass = cumulative_[k] - (k > 0 ? cumulative_[k - 1] : 0.0);
      out.ids.push_back(pool[k]);
      frequencies_.push_back(sum > 0.0 ? frequency(n * mass / sum) : 1.0);
    }
    finish(request, out);
  }

  void finish(const plan_request& request, selection_plan& out) {
    const double smallest = *std::min_element(frequencies_.begin(), frequencies_.end());
    out.frequencies.assign(frequencies_.begin(), frequencies_.end());
    out.weights.resize(out.ids.size());
    policy_->apply(frequencies_, smallest, request.progress.fraction, out.weights);
  }

  void rebuild(const plan_request& request) {
    stale_ = false;
    next_rebuild_ = request.progress.epochs + 1.0 / rebuilds_per_epoch;
    std::vector<float> all(tree_->size());
    for (std::uint32_t id = 0; id < all.size(); ++id)
      all[id] = strength(request.priorities.seen(id) ? request.priorities.weight(id) : 1.0F);
    tree_->assign(all);
  }

  /// N * p_i for a point that would be drawn `by_priority` times as often as by chance.
  [[nodiscard]] double frequency(double by_priority) const {
    return (1.0 - uniform_share_) * by_priority + uniform_share_;
  }

  double alpha_ = 1.0;
  double smoothing_ = 0.0;
  double uniform_share_ = 0.1;
  std::optional<double> pool_factor_;
  json_value weights_ = json_value("full");
  std::unique_ptr<weight_policy> policy_;
  std::optional<sum_tree> tree_; ///< without a pool
  double next_rebuild_ = 0.0;
  bool stale_ = false; ///< the tree is not of these options
  std::vector<double> masses_;
  std::vector<double> cumulative_;
  std::vector<double> frequencies_;
  std::vector<std::pair<std::size_t, std::uint32_t>>
      by_position_; ///< draws of the batch that ignore priorities
};

} // namespace

std::unique_ptr<selector> make_multinomial() {
  return std::make_unique<multinomial>();
}

} // namespace triage
