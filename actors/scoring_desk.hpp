#pragma once

#include "actors/order_watch.hpp"
#include "actors/run_records.hpp"
#include "actors/run_setup.hpp"
#include "core/clock.hpp"
#include "sampling/point_ledger.hpp"
#include "sampling/sampling_source.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace triage {

/// The sampler's plain class: a sampling_source, the batches that are still owed, and which estimator works
/// on what. Estimators are numbered by the caller. An estimator that keeps returning scores that are not
/// finite is struck off. Owned by one thread.
class scoring_desk {
public:
  /// Borrows the clock, and the labels of the setup's data.
  scoring_desk(const run_setup& setup, const clock& time);

  [[nodiscard]] result<void> load(const saved_state& state);
  [[nodiscard]] saved_state save() const;

  /// So many batches more are wanted.
  void request(std::size_t batches, double run_fraction, std::uint64_t version);
  /// The next wanted batch; nothing when none is wanted or it has to wait for scores.
  [[nodiscard]] std::optional<drawn_batch> next_batch();
  /// What fell off while training a batch with the parameters of `version`; `scores` may be empty.
  void take_byproducts(const drawn_batch& batch, std::span<const float> scores, std::span<const float> losses,
                       std::uint64_t version);

  /// An estimator's answer to its present order. `gradient`: over the points of the order, or empty. False:
  /// it returned three orders in a row with scores that are not finite.
  [[nodiscard]] bool take_measured(std::uint64_t estimator, std::span<const float> scores,
                                   std::span<const float> gradient, std::uint64_t version,
                                   double busy_seconds);
  void estimator_idle(std::uint64_t estimator);
  void estimator_lost(std::uint64_t estimator);
  /// One estimator more than were expected, of a node.
  void estimator_joined(std::uint64_t estimator);
  [[nodiscard]] bool is_far(std::uint64_t estimator) const; ///< of a node
  /// An estimator that was expected has not come to life.
  void estimator_missing();
  void pause(bool paused);

  /// An order that an estimator has worked on for so long.
  struct open_order {
    std::uint64_t estimator = 0;
    std::size_t points = 0;
    double seconds = 0.0;
  };
  [[nodiscard]] std::vector<open_order> open_orders() const;
  /// Those that have become late since the last call; remembers them as told.
  [[nodiscard]] std::vector<open_order> newly_late();
  /// Those of nodes that have to be given up, which estimator_lost does. One of this process is slow only
  /// when all of it is: whoever waits for it would not be helped.
  [[nodiscard]] std::vector<open_order> overdue();
  /// So many seconds this process stood still: they are not held against estimators.
  void forgive(double seconds);
  /// What a full order usually takes; nothing before the first answer.
  [[nodiscard]] std::optional<double> usual_seconds() const;

  struct assignment {
    std::uint64_t estimator = 0;
    refresh_order order;
  };
  /// The next order for an idle estimator, when one is idle and points are due.
  [[nodiscard]] std::optional<assignment> next_assignment();

  [[nodiscard]] sampling_figures figures() const { return source_.figures(version_); }
  [[nodiscard]] std::uint64_t samples_scored() const { return samples_scored_; }
  [[nodiscard]] double scoring_seconds() const { return scoring_seconds_; }
  /// The share of each shard in the sum of all priorities. Looks at every point.
  [[nodiscard]] std::vector<double> shard_mass() const;
  /// What a person should know since the last call; mostly empty.
  [[nodiscard]] std::string take_remark();
  /// The closing account of the run so far.
  [[nodiscard]] prioritization_account account() const;

private:
  [[nodiscard]] double versions_per_epoch() const;
  void measure_speed();
  /// Whether an estimator works on an order, on the cores of this process.
  [[nodiscard]] bool measuring() const;
  [[nodiscard]] bool speeds_known() const;
  void add_remark(const std::string& more);

  /// Training speed in one way of choosing points.
  struct pace {
    double seconds = 0.0;
    double samples = 0.0;
    [[nodiscard]] double samples_per_second() const { return seconds > 0.0 ? samples / seconds : 0.0; }
  };

  sampling_source source_;
  std::optional<point_ledger> ledger_;
  std::string remark_; ///< beside those of the source
  const clock& time_;
  std::size_t points_;
  std::size_t parameters_; ///< of the model
  std::size_t batch_size_;
  std::size_t shards_;
  std::uint64_t first_steps_; ///< samples drawn before every worker has finished its first step
  std::size_t order_size_;
  bool wants_estimators_;
  bool told_nobody_measures_ = false;
  std::size_t expected_estimators_;
  std::size_t batches_wanted_ = 0;
  double run_fraction_ = 0.0;
  std::uint64_t version_ = 0;
  bool paused_ = true;

  pace uniform_;
  pace prioritized_;
  bool was_prioritizing_ = false;
  bool measured_meanwhile_ = false; ///< since the last request
  std::optional<double> last_draw_; ///< on the clock; none right after a pause
  std::uint64_t drawn_before_ = 0;

  std::vector<std::uint64_t> idle_;
  std::vector<std::uint64_t> far_; ///< on nodes
  struct record {
    std::uint64_t estimator;
    std::uint64_t ticket;
    std::vector<std::uint32_t> ids;
    int bad_orders;
    double granted_at = 0.0;
    bool called_late = false;
    [[nodiscard]] bool open() const { return !ids.empty(); }
  };
  [[nodiscard]] open_order look_at(const record& r) const;
  record& record_of(std::uint64_t estimator);
  std::vector<record> busy_;
  order_watch order_watch_;
  std::uint64_t samples_scored_ = 0;
  double scoring_seconds_ = 0.0;
};

} // namespace triage
