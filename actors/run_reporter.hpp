#pragma once

#include "actors/run_records.hpp"
#include "actors/run_state.hpp"
#include "core/log.hpp"
#include "core/metrics.hpp"
#include "sampling/sampling_source.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace triage {

/// What sampling looks like beside a progress report.
struct sampling_status {
  sampling_figures figures;
  std::uint64_t samples_scored = 0;
  double scoring_seconds = 0.0;
  std::vector<double> shard_mass = {}; ///< of each shard, of all priorities 1; only where it was asked for
  std::vector<wait_record> waits = {}; ///< for whose scores the sampler waits
};

/// Where and how a run tells about itself.
struct report_options {
  std::string directory; ///< metrics.jsonl and summary.json go here; empty: no files
  bool progress = true;  ///< progress on stderr
  bool terminal = false; ///< stderr is a terminal: one line that is overwritten; otherwise plain log lines
};

/// Turns reports into a progress line, log lines, metrics.jsonl and summary.json. The monitor's plain class;
/// a full disk costs lines, never the run. Owned by one thread.
class run_reporter {
public:
  /// Borrows the logger, which must outlive it.
  run_reporter(report_options options, logger& log);

  void progress(const progress_report& report, const sampling_status& sampling);
  /// The record in metrics.jsonl also says what the run has cost so far: samples_trained, samples_scored and
  /// compute_seconds (busy time of workers and of scoring).
  void evaluation(const progress_report& report, const evaluation_figures& figures,
                  const sampling_status& sampling);
  /// {"event": "resumed", "step": …}: records before it of a later step are of what was lost, and trained
  /// again. Removes summary.json, which tells of the end before.
  void resumed(std::int64_t step);
  /// A record about members and nodes; its "event" is "members".
  void members(json_value record);
  void warning(const std::string& source, const std::string& text);
  void remark(const std::string& source, const std::string& text);
  void finished(const run_summary& summary);

  /// "epoch 3.42/12  loss 0.2134  accuracy 0.921  48230 samples/s  eta 12s …"
  [[nodiscard]] static std::string progress_line(const progress_report& report,
                                                 const sampling_status& sampling);

private:
  void write(const json_value& record);
  void end_progress_line();

  report_options options_;
  logger& log_;
  std::unique_ptr<metrics_writer> metrics_;
  bool line_open_ = false;
  double last_plain_line_ = -1e9;
  std::optional<sampling_status> last_sampling_;
};

} // namespace triage
