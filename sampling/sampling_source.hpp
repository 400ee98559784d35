#pragma once

#include "core/rng.hpp"
#include "sampling/candidate_pools.hpp"
#include "sampling/epoch_order.hpp"
#include "sampling/gain_meter.hpp"
#include "sampling/mean_gradient.hpp"
#include "sampling/sampling_description.hpp"

#include <deque>
#include <map>
#include <memory>
#include <span>

namespace triage {

/// Figures of the sampler for progress lines, metrics and the closing account.
struct sampling_figures {
  bool prioritized = false; ///< whether the sampling looks at priorities at all
  staleness_summary staleness;
  double effective_sample_share = 1.0;
  std::uint64_t rejected_scores = 0;
  selector_figures selector;
  std::uint64_t samples_drawn = 0;
  std::uint64_t samples_prioritized = 0;     ///< of them, how many were chosen by priorities
  std::vector<std::uint64_t> drawn_by_class; ///< of each class; empty without classes
  std::optional<estimate>
      measured_gain;                ///< absent where frequencies are not known, and until there is enough
  bool unbiased = true;             ///< plans are
  std::optional<double> gate_worth; ///< gain times speed of the last look
  std::optional<double> suspect_share;
  std::optional<double> doubt_persistence;
};

/// Points for an estimator to measure.
struct refresh_order {
  std::uint64_t ticket = 0; ///< returned with the scores
  std::vector<std::uint32_t> ids;
  blob direction; ///< for projections
};

/// One shard's sampler behind one plain class: priorities, plans, gate, refresh order, random stream. The
/// sampler actor only forwards to it. Owned by one thread.
///
/// Points come in plans. A plan is either a stretch of the shuffled order as it is (warm-up, uniform tail,
/// closed gate) or what the selector makes of the next candidates; plans are cut into batches.
class sampling_source {
public:
  sampling_source(sampling_description description, std::size_t points, std::size_t batch_size,
                  std::uint64_t seed, const point_classes& classes = {});

  /// How many estimators are there to measure; without any, plans never wait.
  void set_estimators(std::size_t count) { estimators_ = count; }

  /// The next batch; `run_fraction` is how far the run is, 0 to 1. False: it waits for scores; try again when
  /// some have arrived.
  [[nodiscard]] bool draw(double run_fraction, std::uint64_t version, drawn_batch& out);
  /// Scores that fell off while training a batch with the parameters of `version`.
  void record_byproducts(const drawn_batch& batch, std::span<const float> scores, std::uint64_t version);
  /// The losses that fell off while training a batch, for the noise guard.
  void observe_losses(const drawn_batch& batch, std::span<const float> losses);
  /// Measurements at one parameter version.
  void record(std::span<const std::uint32_t> ids, std::span<const float> scores, std::uint64_t version);

  /// Up to `count` points that an estimator should measure now; empty when nothing is due. While scores
  /// decide nothing (gate or guard closed) that is next to nothing, and nothing at all in the uniform tail.
  [[nodiscard]] refresh_order next_order(std::size_t count, std::uint64_t version, double versions_per_epoch);
  /// What became of an order. `gradient`: the mean gradient over its points; empty where nobody needs it.
  void order_measured(std::uint64_t ticket, std::span<const float> scores, std::uint64_t version,
                      std::span<const float> gradient = {});
  /// Its points are handed out again.
  void order_lost(std::uint64_t ticket);

  /// Samples/s while prioritising over samples/s while not, for a gate that wants to know.
  void observe_speed(double ratio) { speed_ = ratio; }
  /// Whether the gate goes by speed and training is uniform: if that speed is not known yet, estimators
  /// should let it be measured first.
  [[nodiscard]] bool wants_uniform_speed() const;
  /// Why the gate or the noise guard changed its mind since the last call, or what became of a saved state;
  /// mostly empty.
  [[nodiscard]] std::string take_remark();

  [[nodiscard]] sampling_figures figures(std::uint64_t version) const;
  [[nodiscard]] const priority_table& priorities() const { return priorities_; }
  [[nodiscard]] std::uint64_t samples_drawn() const { return samples_drawn_; }
  /// Of the mean gradient that projections are measured on: how many values it has, 0 while there is none.
  [[nodiscard]] std::size_t mean_gradient_size() const { return direction_.size(); }
  /// Whether the present plan follows priorities.
  [[nodiscard]] bool prioritizing() const { return planned_by_priority_; }

  [[nodiscard]] saved_state save() const;
  /// Of a sampling with other parts only the random stream goes on: it begins anew.
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  [[nodiscard]] sampling_progress progress(double run_fraction) const;
  void look_at_gate(std::uint64_t version);
  /// Empty: the next plan follows the priorities; else why not.
  [[nodiscard]] std::string reason_for_uniform(double run_fraction);
  bool make_plan(double run_fraction, std::uint64_t version);
  void keep_order(const std::string& phase);
  /// Takes out those that the noise guard suspects, but for a few.
  void pass_over_suspects(std::vector<std::uint32_t>& ids);
  [[nodiscard]] bool take_candidates(candidate_pools::pool& out);
  void fill_pools();
  /// Whether scores decide nothing now, and what is learned of them is no preparation either.
  [[nodiscard]] bool at_rest() const;
  [[nodiscard]] refresh_request refresh_state(std::uint64_t version, double versions_per_epoch) const;

  sampling_description description_;
  priority_table priorities_;
  std::size_t batch_size_;
  rng random_;
  std::string remark_; ///< that nobody has taken yet
  epoch_order order_;
  std::uint64_t samples_drawn_ = 0;
  std::uint64_t samples_prioritized_ = 0;
  point_classes classes_;
  std::vector<std::uint64_t> drawn_by_class_;
  std::uint64_t drawn_at_rest_ = 0;
  std::uint64_t measured_at_rest_ = 0;
  std::size_t estimators_ = 0;
  std::optional<double> speed_;

  candidate_pools::pool candidates_; ///< of the present plan: memory that is used again
  // The present plan.
  selection_plan plan_;
  std::size_t next_ = 0;
  bool ends_pass_ = false;
  bool planned_by_priority_ = false;
  std::optional<bool> annealed_; ///< what the die said for the plan that is being tried
  std::string phase_ = "warm-up";
  /// The batch being filled, when its plan ran out and the next one has to wait.
  selection_plan partial_;
  bool partial_by_priority_ = false;

  candidate_pools pools_;
  struct open_order {
    std::vector<std::uint32_t> ids;
    std::optional<std::uint64_t> pool;
  };
  std::map<std::uint64_t, open_order> orders_;
  std::deque<open_order> lost_;
  std::uint64_t next_ticket_ = 1;
  std::uint64_t samples_measured_ = 0; ///< of what the policy asked for

  gain_meter gain_;
  mean_gradient direction_;
};

} // namespace triage
