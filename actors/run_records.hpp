#pragma once

#include "actors/member_ledger.hpp"
#include "core/blob.hpp"
#include "core/compressor.hpp"
#include "core/json.hpp"
#include "core/saved_state.hpp"
#include "sampling/gain_meter.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// The plain values that the coordinator exchanges with everybody else. No CAF here: the logic that consumes
// and produces them is tested without actors.

namespace triage {

/// How parameters differ from those of another version, compressed: whoever holds those exactly has these
/// exactly, and nothing else may apply it.
struct parameter_change {
  std::uint64_t from = 0; ///< the version
  byte_block bytes;
  std::uint64_t result = 0; ///< the fingerprint of the parameters afterwards
};

/// Parameters at one version; immutable, shared by pointer.
struct snapshot {
  std::uint64_t version = 0;
  blob parameters;
  /// While they are still being merged or on their way: how much of them may be read. Only train orders of
  /// workers on nodes, and what their nodes receive, begin so early.
  std::shared_ptr<class parameter_arrival> arriving = nullptr;
  /// Another way to them, for those on nodes who hold the version before; null: there is none.
  std::shared_ptr<const parameter_change> change = nullptr;
};

/// "Train these points, starting from these parameters."
struct train_order {
  std::uint64_t lease = 0;
  snapshot base;
  batch_list batches;                 ///< one for each step
  std::vector<double> learning_rates; ///< of each local step; empty: one gradient is wanted, no step
};

/// A worker on the way to its answer: the elements [begin, end) of its gradient are final and finite, and may
/// be read. Parts of an order come in falling order, from the end of the trained prefix.
struct gradient_part {
  std::uint64_t member = 0;
  std::uint64_t lease = 0;
  blob gradient; ///< an early look at the block that the result will carry
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// A worker's answer to a train order.
struct train_result {
  std::uint64_t member = 0;
  std::uint64_t lease = 0;
  std::uint64_t base_version = 0;
  blob gradient; ///< after local steps: base - parameters, or the parameters (local_round::sends_position)
  /// What `gradient` was decoded from, for who sends it on; null: it was not compressed.
  std::shared_ptr<const byte_block> encoded = nullptr;
  double loss_sum = 0.0;      ///< unweighted, over the batches
  double weighted_loss = 0.0; ///< the same, each loss with the weight of its point
  std::uint64_t correct = 0;  ///< right predictions
  std::vector<float> scores;  ///< by-products, one per point of the batches; empty when not needed
  std::vector<float> losses;  ///< one per point, unweighted; empty when nobody wants them
  double busy_seconds = 0.0;
  bool finite = true;                  ///< false: the loss or the gradient holds NaN or infinity
  std::vector<std::uint32_t> suspects; ///< up to five points whose loss is not finite
};

/// How many points of a class there are, and how many of them the model gets right.
struct class_count {
  std::uint64_t points = 0;
  std::uint64_t correct = 0;
  /// NaN for a class that does not occur.
  [[nodiscard]] double recall() const { return static_cast<double>(correct) / static_cast<double>(points); }
};

/// Figures measured on held-out data and on the probe of the training set.
struct evaluation_figures {
  double train_loss = 0.0;
  std::optional<double> train_accuracy;
  std::optional<double> test_loss;
  std::optional<double> test_accuracy;
  std::optional<double> validation_loss;
  std::optional<double> validation_accuracy;
  std::optional<double> test_balanced_accuracy; ///< mean of the recalls of the classes
  std::optional<double> validation_balanced_accuracy;
  std::vector<class_count> test_classes; ///< empty without classes
  /// The figure of that name ("test_accuracy"), when it was measured.
  [[nodiscard]] std::optional<double> find(const std::string& metric) const;
};

/// What prioritization has cost, and what the noise of the steps says that it has brought.
struct prioritization_account {
  bool prioritized = false; ///< whether the sampling looks at priorities at all
  std::uint64_t samples_drawn = 0;
  std::uint64_t samples_prioritized = 0; ///< of them, chosen by priorities
  double scoring_seconds = 0.0;          ///< busy time of estimators
  std::optional<estimate> gain;          ///< measured ratio of second moments; see gain_meter
  bool unbiased = true;                  ///< its steps are uniform ones but for their noise
  double uniform_speed = 0.0;            ///< samples/s while not prioritising; 0: never measured
  double prioritized_speed = 0.0;
};
/// The account as one honest sentence; empty for a run that does not prioritise.
[[nodiscard]] std::string to_sentence(const prioritization_account& account);

/// What the sampler hands over for a checkpoint, and what scoring has cost so far.
struct sampler_report {
  saved_state state;
  std::uint64_t samples_scored = 0; ///< by estimators; by-products of training are free and not counted
  prioritization_account account;
};

/// Where a run stands; sent to the monitor at most four times a second.
struct progress_report {
  std::uint64_t step = 0;
  double epochs = 0.0;
  std::optional<double> total_epochs;
  double fraction = 0.0;
  double train_seconds = 0.0;
  std::uint64_t samples_trained = 0;
  double running_loss = 0.0;
  std::optional<double> running_accuracy;
  double samples_per_second = 0.0; ///< since the last report
  double learning_rate = 0.0;
  double worker_busy_seconds = 0.0;
  std::uint64_t dropped_results = 0;
  double mean_lag = 0.0; ///< mean version lag of the merged gradients since the last report
};

/// Whether a figure is better when it is larger: accuracies are, losses are not.
[[nodiscard]] bool grows_better(std::string_view metric);

/// A figure where it was best.
struct best_value {
  std::string metric;
  double value = 0.0;
  double epochs = 0.0;
  std::uint64_t step = 0;
};

enum class run_status {
  finished,
  target_reached,
  stopped_improving, ///< no better figure for as long as the description has patience
  interrupted,
  starved, ///< too few workers for too long; the state is saved
  failed,
};
[[nodiscard]] std::string to_string(run_status status);
/// As its description wants it: the model is final.
[[nodiscard]] bool ended_by_itself(run_status status);

struct target_time {
  std::string metric;
  double value = 0.0;
  double seconds = 0.0;
  std::uint64_t samples = 0;
};

/// What a run comes to; the source of summary.json.
struct run_summary {
  run_status status = run_status::finished;
  std::string problem; ///< why, when failed
  std::uint64_t steps = 0;
  double epochs = 0.0;
  std::uint64_t samples_trained = 0;
  std::uint64_t samples_scored = 0;
  double train_seconds = 0.0;
  double samples_per_second = 0.0;
  double scoring_share = 0.0;
  double worker_busy_seconds = 0.0; ///< of all workers together
  std::uint64_t dropped_results = 0;
  std::vector<std::string> lost_members;
  std::optional<evaluation_figures> figures;
  std::optional<target_time> time_to_target;
  std::optional<best_value> best; ///< of checkpoint.best, else of duration.patience
  prioritization_account prioritization;
  std::string checkpoint; ///< the last healthy one
};

[[nodiscard]] json_value to_json(const evaluation_figures& figures);
[[nodiscard]] json_value to_json(const run_summary& summary);

} // namespace triage
