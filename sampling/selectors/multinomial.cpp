#include "sampling/selectors/selectors.hpp"
#include "sampling/sum_tree.hpp"
#include "sampling/weights.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

namespace triage {

namespace {

/// Draws with replacement, in proportion to priority^alpha, mixed with a uniform floor:
/// p_i = (1 - uniform_share) * q_i + uniform_share / N. Points that were never scored keep the weight 1.
class multinomial : public selector {
public:
  void visit(option_visitor& v) override {
    v.field({.name = "alpha", .doc = "exponent on the priority; 0: uniform", .min = 0.0, .max = 10.0},
            alpha_);
    v.field({.name = "uniform_share",
             .doc = "share of the draws that ignores priorities",
             .min = 0.0,
             .max = 1.0},
            uniform_share_);
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
    tree_.emplace(points);
    tree_->assign(std::vector<float>(points, 1.0F));
  }

  void priority_changed(std::uint32_t id, float priority) override {
    tree_->set(id, alpha_ == 1.0 ? priority
                                 : static_cast<float>(std::pow(static_cast<double>(priority), alpha_)));
  }
  void priority_will_change(std::uint32_t id) const override { tree_->prefetch(id); }

  void draw(std::size_t count, const priority_table&, const sampling_progress& progress, rng& random,
            drawn_batch& out) override {
    out.ids.clear();
    out.weights.clear();
    const auto n = static_cast<double>(tree_->size());
    double smallest = 1.0;
    masses_.resize(count);
    by_position_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const bool by_priority = random.uniform() >= uniform_share_;
      const double u = random.uniform();
      masses_[i] = u * tree_->total();
      if (!by_priority)
        by_position_.emplace_back(
            i, static_cast<std::uint32_t>(std::min(static_cast<std::size_t>(u * n), tree_->size() - 1)));
    }
    out.ids.resize(count);
    tree_->find(masses_, out.ids);
    for (const auto& [i, id] : by_position_)
      out.ids[i] = id;
    for (const auto id : out.ids)
      smallest = std::min(smallest, frequency(id));
    for (const auto id : out.ids)
      out.weights.push_back(policy_->weight(frequency(id), smallest, progress.fraction));
  }

  [[nodiscard]] bool uses_priorities() const override { return true; }
  [[nodiscard]] bool unbiased() const override { return policy_->unbiased(); }
  [[nodiscard]] selector_figures figures() const override {
    return {std::nullopt, std::nullopt, "prioritized"};
  }

  [[nodiscard]] saved_state save() const override {
    saved_state state;
    state.put("weights", std::vector<float>(tree_->weights().begin(), tree_->weights().end()));
    return state;
  }
  result<void> load(const saved_state& state) override {
    const auto weights = state.get<float>("weights");
    if (!weights.ok())
      return weights.error();
    if (weights->size() != tree_->size())
      return data_error("the saved sampling weights do not fit the data");
    tree_->assign(*weights);
    return {};
  }

private:
  /// N * p_i.
  [[nodiscard]] double frequency(std::size_t id) const {
    const auto n = static_cast<double>(tree_->size());
    const double share =
        tree_->total() > 0.0 ? static_cast<double>(tree_->weight(id)) / tree_->total() : 1.0 / n;
    return n * (1.0 - uniform_share_) * share + uniform_share_;
  }

  double alpha_ = 1.0;
  double uniform_share_ = 0.1;
  json_value weights_ = json_value("full");
  std::unique_ptr<weight_policy> policy_;
  std::optional<sum_tree> tree_;
  std::vector<double> masses_;
  std::vector<std::pair<std::size_t, std::uint32_t>>
      by_position_; ///< draws of the batch that ignore priorities
};

} // namespace

std::unique_ptr<selector> make_multinomial() {
  return std::make_unique<multinomial>();
}

} // namespace triage
