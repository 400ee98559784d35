#pragma once

#include "core/blob.hpp"
#include "core/options.hpp"
#include "core/registry.hpp"
#include "core/rng.hpp"
#include "core/saved_state.hpp"
#include "sampling/point_classes.hpp"
#include "sampling/priority_view.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace triage {

/// A batch to train on: points, and the factor on each point's loss. The training step is the gradient of
/// mean_i(weights_i * loss_i); the weights carry importance correction and step scale, decided when drawn and
/// never recomputed from newer scores.
struct drawn_batch {
  std::vector<std::uint32_t> ids;
  std::vector<float> weights;
  /// How often each point is expected to be chosen, relative to uniform sampling: what unbiased weights would
  /// be the inverse of. Empty where that is not known.
  std::vector<float> frequencies;
  blob direction; ///< what projections are measured on; empty where no score needs it
  /// Added to the gradient of the batch, laid out like it; empty: nothing.
  blob added_gradient;
  /// Drawn before a checkpoint, which holds no directions and no added gradients: a projection cannot be
  /// measured on it, and its step is as long as without.
  bool resumed = false;
};

/// Where the run stands when a batch is drawn.
struct sampling_progress {
  double epochs = 0.0;   ///< samples drawn so far / points
  double fraction = 0.0; ///< of the whole run, 0 to 1
};

/// Figures of the present plan, for metrics; absent where a selector has no such notion.
struct selector_figures {
  std::optional<double> kappa;          ///< share of the candidates that the plan keeps
  std::optional<double> predicted_gain; ///< ratio of second moments, uniform / this plan (ALGORITHMS 1.9)
  std::string phase;                    ///< "warm-up", "prioritized", "gated off", "uniform tail"
};

/// What a plan is made from.
struct plan_request {
  /// A stretch of the shuffled order of the present pass; empty when the selector chooses among all points.
  std::span<const std::uint32_t> candidates;
  const priority_view& priorities;
  sampling_progress progress;
  std::size_t batch_size = 0;
};

/// Chosen points with their weights, in the order of training.
struct selection_plan {
  std::vector<std::uint32_t> ids;
  std::vector<float> weights;
  std::vector<float> frequencies; ///< as in drawn_batch; empty: not known
  void clear() {
    ids.clear();
    weights.clear();
    frequencies.clear();
  }
  void reserve(std::size_t points, bool with_frequencies) {
    ids.reserve(points);
    weights.reserve(points);
    frequencies.reserve(with_frequencies ? points : 0);
  }
  void add(std::uint32_t id, float weight) {
    ids.push_back(id);
    weights.push_back(weight);
  }
  /// Adds `count` points of another plan from position `begin`; their frequencies only if `with_frequencies`.
  void add(const selection_plan& from, std::size_t begin, std::size_t count, bool with_frequencies) {
    const auto part = [&](auto& to, const auto& values) {
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(begin);
      to.insert(to.end(), first, first + static_cast<std::ptrdiff_t>(count));
    };
    part(ids, from.ids);
    part(weights, from.weights);
    if (with_frequencies)
      part(frequencies, from.frequencies);
  }
};

/// Turns priorities into a plan: which points to train next, how often and with which weights. When to
/// prioritise at all, the shuffled order and the cutting into batches are the business of sampling_source.
/// Owned by one thread.
class selector : public configurable {
public:
  /// Called once after the options were read: builds the parts that options name.
  [[nodiscard]] virtual result<void> prepare(const json_place&) { return {}; }
  /// Called once, before the first plan and before load.
  virtual void start(std::size_t) {}
  /// Called once, after `start`: the classes of the points, where there are any. They outlive the selector.
  virtual void know_classes(const point_classes&) {}
  /// Whether what it is asked for means nothing where points have no classes.
  [[nodiscard]] virtual bool needs_classes() const { return false; }
  /// How many candidates of the shuffled order the next plan wants to see, at most; 0: it chooses among all
  /// points. Constant from `start` on.
  [[nodiscard]] virtual std::size_t candidates(std::size_t batch_size, std::size_t points) const = 0;
  /// Fills `out`, which comes empty. May leave it empty when there are candidates: then the next ones come.
  virtual void plan(const plan_request& request, rng& random, selection_plan& out) = 0;

  /// A priority has changed (selectors that keep a search structure follow it; others ignore it).
  virtual void priority_changed(std::uint32_t, float) {}
  /// A call of priority_changed for this point is near: a chance to fetch the memory.
  virtual void priority_will_change(std::uint32_t) const {}
  /// Whether it asks when points were trained.
  [[nodiscard]] virtual bool uses_ages() const { return false; }
  /// Whether it looks at priorities at all; when not, nobody needs to compute any.
  [[nodiscard]] virtual bool uses_priorities() const { return true; }
  /// Whether the expectation of the weighted batch mean is the full mean, up to the declared step scale.
  [[nodiscard]] virtual bool unbiased() const = 0;
  /// Epochs of uniform order before the first plan, and share of the run at its end, unless options say
  /// otherwise.
  [[nodiscard]] virtual double default_warm_epochs() const { return 0.0; }
  [[nodiscard]] virtual double default_tail_fraction() const { return 0.0; }
  /// Whether a gate decides when plans are made, unless options say otherwise.
  [[nodiscard]] virtual bool gated_by_default() const { return false; }
  /// The ratio of second moments of a step, uniform / planned, that plans would reach at these priorities,
  /// over a fixed sample of the points; absent for selectors that know none (those without weights).
  [[nodiscard]] virtual std::optional<double> potential_gain(const priority_view&) const {
    return std::nullopt;
  }
  [[nodiscard]] virtual selector_figures figures() const { return {}; }
  [[nodiscard]] virtual saved_state save() const { return {}; }
  [[nodiscard]] virtual result<void> load(const saved_state&) { return {}; }
};

using selector_factory = std::unique_ptr<selector> (*)();
/// uniform, multinomial, pps_epoch, infobatch, topk_shard, presample_topb, cdf_beta, rank_exp, rank_inv.
[[nodiscard]] registry_table<selector_factory> selectors();

} // namespace triage
