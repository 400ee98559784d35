#pragma once

#include "sampling/selector.hpp"
#include "sampling/weights.hpp"

namespace triage {

/// What selectors by rank share: the points sorted by falling priority now and then, and draws with
/// replacement of whole batches. Points that were never measured come first.
class ranked_selector : public selector {
public:
  void visit(option_visitor& v) override;
  result<void> prepare(const json_place& place) override;
  void start(std::size_t points) override;
  [[nodiscard]] std::size_t candidates(std::size_t, std::size_t) const override { return 0; }
  void plan(const plan_request& request, rng& random, selection_plan& out) override;
  [[nodiscard]] bool unbiased() const override { return policy_->unbiased(); }
  [[nodiscard]] saved_state save() const override;
  [[nodiscard]] result<void> load(const saved_state& state) override;

protected:
  explicit ranked_selector(const char* weights) : weights_(weights) {}
  /// Called before each plan; may make tables for the number of points.
  virtual void set_progress(const sampling_progress&) {}
  /// The rank, from 0 for the largest priority, that the uniform number u in [0, 1) stands for.
  [[nodiscard]] virtual std::size_t rank_at(double u) const = 0;
  /// N times the probability of the rank.
  [[nodiscard]] virtual double frequency(std::size_t rank) const = 0;
  [[nodiscard]] std::size_t points() const { return order_.size(); }

private:
  void sort(const priority_view& priorities);

  json_value weights_;
  double sorts_per_epoch_ = 8.0;
  std::unique_ptr<weight_policy> policy_;
  std::vector<std::uint32_t> order_; ///< by falling priority
  double next_sort_ = 0.0;           ///< in epochs
  std::vector<float> keys_;
};

} // namespace triage
