#pragma once

#include "actors/batch_stock.hpp"
#include "actors/best_figure.hpp"
#include "actors/member_ledger.hpp"
#include "actors/order_watch.hpp"
#include "actors/parameter_store.hpp"
#include "actors/published_parameters.hpp"
#include "actors/round_sum.hpp"
#include "actors/run_effects.hpp"
#include "actors/run_meter.hpp"
#include "actors/run_records.hpp"
#include "actors/run_setup.hpp"
#include "actors/run_state.hpp"
#include "core/clock.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace triage {

/// The logic of a run: grants leases under the exchange policy, merges results, pauses for evaluations and
/// checkpoints at round boundaries, notices the end, and survives lost members. CAF-free and deterministic:
/// it is driven by the calls below and by an injected clock, and acts through `run_effects`. One thread.
class run_controller {
public:
  /// Borrows the clock and the effects, which must outlive it.
  /// `merge_threads`: see parameter_store; null: it starts as many as there are cores for.
  run_controller(std::shared_ptr<const run_setup> setup, const clock& source, run_effects& effects,
                 std::shared_ptr<fork_join> merge_threads = nullptr);

  /// Whether the data is what a checkpoint's state was made with.
  [[nodiscard]] static result<void> check_data(const run_setup& setup, const saved_state& state);
  /// Continues from a checkpoint's parameters and state; before `start`.
  [[nodiscard]] result<void> restore(std::span<const float> parameters, const saved_state& state);
  /// A fresh run begins with a checkpoint, so that an unusable run directory shows in the first second and a
  /// healthy state exists from then on.
  void start();

  /// So many workers are being started and will join or fail to: while some are, a run without workers waits.
  void expect_members(std::size_t count) { members_awaited_ = count; }
  /// Nodes may join at any time: a run with fewer than runtime.min_workers waits, and ends as `starved` after
  /// runtime.wait_seconds; members that are very late are given up. With network.shards each point is trained
  /// by the node that holds its shard. Before `start`.
  void open_to_nodes();
  /// The controller has a thread of its own, so a worker in this process may wait for parameters that are
  /// still being merged: where each result is merged alone, the next order then leaves before the merge.
  /// Before `start`.
  void runs_beside_workers() { beside_workers_ = true; }
  /// Time has passed; to be called a few times a second when nodes may join. `stalled`: seconds of it in
  /// which this process itself stood still, which are held against nobody.
  void tick(double stalled = 0.0);
  /// An expected worker could not start.
  void member_not_started(const std::string& name, const std::string& reason);
  /// A worker wants to take part, in the process of that node; returns its number. It gets its first order in
  /// due time.
  std::uint64_t member_joined(std::string name, std::string node = {});
  /// The number that the next member will get.
  [[nodiscard]] std::uint64_t next_member() const { return ledger_.next_member(); }
  void member_lost(std::uint64_t member, const std::string& reason);
  /// What has come since the last time. Results that an exchange merges alone are merged in one pass over
  /// memory.
  void parts_arrived(std::span<const gradient_part> parts);
  void results_arrived(std::span<const train_result> results);
  void batches_arrived(const std::vector<shared_batch>& batches);
  void evaluation_arrived(const evaluation_figures& figures);
  void sampler_state_arrived(sampler_report report);
  /// `problem` is empty when the checkpoint was written to `path`.
  void checkpoint_done(const std::string& path, const std::string& problem);
  /// Before checkpoint_done of the same checkpoint.
  void best_not_kept(const std::string& problem);
  /// A part that the run cannot do without has failed. `can_save`: the sampler can still hand over its state.
  void fail(const std::string& problem, bool can_save);
  /// One of these calls threw: nothing that is known here can be trusted, so the run ends at once, without
  /// waiting for anybody and without a checkpoint.
  void break_off(const std::string& problem);
  /// Finish the step, save, end. Harmless when repeated.
  void stop();

  [[nodiscard]] snapshot current() const { return {store_.version(), store_.current(), store_.arriving()}; }
  /// What workers and estimators get: the same, or what compressed messages have made of it.
  [[nodiscard]] snapshot shared() const { return published_ ? published_->latest() : current(); }
  [[nodiscard]] bool done() const { return phase_ == phase::done; }
  [[nodiscard]] const member_ledger& members() const { return ledger_; }
  [[nodiscard]] std::size_t stocked_batches() const { return stock_->batches(); }
  /// Where the run stands, and who waits for what from whom.
  [[nodiscard]] run_state state() const;

private:
  enum class phase { created, training, draining, evaluating, collecting, saving, done };

  /// Lets orders go out while the merge that they start from is under way.
  struct early_orders;

  void enter(phase next);
  void advance();
  [[nodiscard]] bool must_pause();
  void look_for_late_members();
  void look_for_starvation();
  [[nodiscard]] std::vector<wait_record> waits() const;
  [[nodiscard]] bool enough_members() const;
  void dispatch();
  /// Whether it may get one more order than it has.
  [[nodiscard]] bool has_room(const member& m) const;
  /// An order for one more round of that member, if it may start it and there are batches.
  bool order(member& m);
  [[nodiscard]] batch_list batches_for(const member& m, std::size_t steps);
  void keep_shards();
  void warn_of_few_shards();
  void request_batches();
  void ask_for(std::size_t batches);
  /// How many batches shall be in stock or asked for.
  [[nodiscard]] std::size_t full_stock() const;
  /// Samples of the run's budget that nobody has drawn yet, as far as it is known how many are coming; no
  /// bound: the largest number there is.
  [[nodiscard]] std::uint64_t samples_to_draw() const;
  [[nodiscard]] bool everything_drawn() const;
  void draw(std::size_t batches, double run_fraction);
  void sum_ahead();
  /// Whether a merge is of use to anybody before it has ended.
  [[nodiscard]] bool merges_early() const;
  void merge_ahead();
  void settle(const train_result& result);
  /// What training some batches has told about their points; empty where nobody wants it.
  struct byproducts_of {
    batch_list batches;
    std::vector<float> scores;
    std::vector<float> losses;
    std::uint64_t version = 0;
  };
  void record(const byproducts_of& trained);
  void merge_arrived();
  [[nodiscard]] std::uint64_t oldest_round() const;
  /// Tells the optimizer when a pass over the data begins.
  void note_epoch();
  void merge_round(merge_observer* observer);
  void merge_in_turn(merge_observer* observer);
  /// When so many samples are merged.
  [[nodiscard]] double learning_rate_at(std::uint64_t samples) const;
  /// Batches of an order for that round.
  [[nodiscard]] std::size_t steps_of_round(std::uint64_t round);
  [[nodiscard]] std::size_t local_steps() const;
  void reject(const train_result& result, const lease& done);
  /// The run fails, and what has become of the parameters is not saved.
  void diverge(const std::string& how);
  /// Whether so many of a node's results are not finite while those of other nodes are.
  [[nodiscard]] bool stands_out(const member& m) const;
  void lose(std::uint64_t id, const std::string& reason);
  void drained();
  void collect_or_continue();
  void resume_training();
  void finish();
  void report_if_due();
  void check_target();
  void follow_figures();
  [[nodiscard]] bool patience_has_run_out() const;

  [[nodiscard]] bool draining() const { return phase_ == phase::draining; }
  [[nodiscard]] bool budget_spent() const;
  [[nodiscard]] bool ending() const;
  [[nodiscard]] bool pause_due() const;
  [[nodiscard]] double epochs(std::uint64_t samples) const;
  [[nodiscard]] training_progress progress(std::uint64_t samples) const;
  [[nodiscard]] progress_report present_progress(bool close);
  [[nodiscard]] saved_state save() const;
  [[nodiscard]] run_summary summarise() const;

  std::shared_ptr<const run_setup> setup_;
  const clock& clock_;
  run_effects& effects_;
  parameter_store store_;
  std::optional<published_parameters> published_; ///< where messages to workers are compressed
  member_ledger ledger_;
  round_sum sum_;
  /// Of the present round, from the moment when some of it was merged ahead: a schedule may follow the clock.
  struct foreseen_rate {
    std::uint64_t round = 0;
    double learning_rate = 0.0;
  };
  foreseen_rate foreseen_;
  std::vector<round_sum::part> parts_;
  stopwatch training_time_;
  run_meter meter_;
  std::optional<local_round> local_;             ///< workers take steps of their own
  std::unique_ptr<communication_period> period_; ///< how many, where that changes
  /// Of the newest round for which an order went out: all that take part get the same.
  struct round_plan {
    std::uint64_t round = 0;
    std::size_t steps = 1;
    std::uint64_t samples = 0; ///< ordered before it
    double workers = 1.0;
  };
  std::optional<round_plan> plan_;
  cadence evaluations_;
  cadence checkpoints_;
  phase phase_ = phase::created;

  std::unique_ptr<batch_stock> stock_;
  std::optional<std::uint64_t> budget_; ///< samples of the run, where it is measured in epochs
  std::size_t batches_requested_ = 0;
  struct postponed_draw {
    std::size_t batches = 0;
    double run_fraction = 0.0;
  };
  std::vector<postponed_draw> postponed_draws_; ///< until the merge that is under way has ended
  struct arrival {
    std::uint64_t member = 0;
    std::uint64_t round = 0;
    contribution gradient;
    double weighted_loss = 0.0;
    byproducts_of told;
  };
  std::vector<arrival> arrived_;
  std::vector<contribution> merging_;
  std::vector<double> rates_;

  std::size_t members_awaited_ = 0;
  bool elastic_ = false;
  bool beside_workers_ = false;
  bool starved_ = false;
  bool few_shards_ = false; ///< said already
  std::optional<double> starving_since_;
  double phase_since_ = 0.0;
  order_watch order_watch_;
  std::optional<std::string> last_good_node_; ///< where the last result came from that was finite
  std::uint64_t samples_dispatched_ = 0;
  std::uint64_t samples_merged_ = 0;
  std::uint64_t epoch_ = 0;             ///< that the next merge belongs to
  std::size_t checkpoints_in_hand_ = 0; ///< given to the checkpointer and not yet answered
  bool first_checkpoint_due_ = false;
  bool stopping_ = false;
  bool target_stops_ = false;
  bool out_of_patience_ = false;
  bool best_checkpoint_due_ = false;
  bool diverged_ = false;
  bool broken_ = false; ///< the train loss was no number at the last evaluation
  bool sampler_lost_ = false;
  std::string problem_;
  std::vector<std::string> lost_members_;
  double last_report_ = 0.0;

  std::uint64_t samples_scored_ = 0;
  prioritization_account account_;
  std::optional<evaluation_figures> figures_;
  std::optional<target_time> time_to_target_;
  best_figure best_;     ///< whose checkpoint is kept
  best_figure improved_; ///< for the patience
  std::string last_checkpoint_;
};

} // namespace triage
