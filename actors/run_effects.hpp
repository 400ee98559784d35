#pragma once

#include "actors/parameters_ahead.hpp"
#include "actors/run_records.hpp"

namespace triage {

/// What the controller asks the outside world to do. The coordinator actor turns each call into a message;
/// tests record them. Calls never come back into the controller.
class run_effects {
public:
  virtual ~run_effects() = default;
  /// The order's parameters may still be being merged, see parameters_advanced.
  virtual void send_order(std::uint64_t member, const train_order& order) = 0;
  /// More of the parameters that orders were sent with is final: their `arriving` says how much.
  virtual void parameters_advanced() {}
  /// The end of the next parameters is known, or more of it than before: whoever is far away can have it
  /// while workers still compute. Orders will name these parameters, unless the merge differs from what was
  /// foreseen.
  virtual void parameters_merged_ahead(const parameters_ahead&) {}
  /// Tell a member that it is not wanted any more.
  virtual void dismiss(std::uint64_t member) = 0;
  /// The same for one that took too long; whoever does so again and again is kept out for a while.
  virtual void dismiss_late(std::uint64_t member) { dismiss(member); }
  /// The same for a member whose results cannot be trusted: neither it nor its node shall come back.
  virtual void quarantine(std::uint64_t member) { dismiss(member); }
  /// Ask the sampler for batches; the answer comes as `batches_arrived`. `at`: the present parameters, which
  /// estimators will measure with.
  virtual void draw(std::size_t batches, double run_fraction, const snapshot& at) = 0;
  /// What fell off while training the batch: scores where the sampling wants them, losses for the ledger.
  virtual void record_byproducts(shared_batch batch, std::vector<float> scores, std::vector<float> losses,
                                 std::uint64_t version) = 0;
  /// Estimators rest while the clock of the run stands.
  virtual void pause_scoring(bool paused) = 0;
  virtual void evaluate(const snapshot& at) = 0;
  /// Answered by `sampler_state_arrived`, after everything that was sent to the sampler before.
  virtual void collect_sampler_state() = 0;
  /// `best`: kept as the best one as well.
  virtual void save_checkpoint(const snapshot& at, saved_state state, bool best) = 0;
  virtual void report(const progress_report& progress) = 0;
  virtual void report_evaluation(const progress_report& progress, const evaluation_figures& figures) = 0;
  virtual void warn(const std::string& text) = 0;
  /// Worth a line in the log, nothing is wrong.
  virtual void remark(const std::string&) {}
  /// The last call.
  virtual void finished(const run_summary& summary) = 0;
};

} // namespace triage
