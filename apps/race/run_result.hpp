#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace triage {

/// One evaluation of a run: what it had cost until then, and what was measured.
struct evaluation_point {
  double epoch = 0.0;
  double seconds = 0.0;         ///< of training
  double samples = 0.0;         ///< gradients computed
  double scored = 0.0;          ///< points scored by estimators
  double compute_seconds = 0.0; ///< busy time of workers and of scoring
  std::vector<std::pair<std::string, double>> figures;
  [[nodiscard]] std::optional<double> find(std::string_view metric) const;
};

using curve = std::vector<evaluation_point>;

/// The evaluations in a metrics.jsonl. A last line that was cut off is left out.
[[nodiscard]] result<curve> read_curve(const std::string& metrics_file);

/// What a run has left behind.
struct run_result {
  std::int64_t seed = 0;
  std::string directory; ///< within the race directory
  bool failed = false;
  std::string problem; ///< why, when failed
  curve points;
  double train_seconds = 0.0;
  double samples_per_second = 0.0;
  double scoring_share = 0.0;
  std::string data_fingerprint;
  std::string made_on;             ///< host and build
  bool older_than_program = false; ///< the program was built anew since
  /// The last evaluation's figure; the worst value when the run failed; nothing when it was never measured.
  [[nodiscard]] std::optional<double> final_figure(std::string_view metric) const;
};

/// Reads a run directory. Everything but a complete run with readable files is a failed run.
[[nodiscard]] run_result read_run_result(const std::string& race_directory, const std::string& directory,
                                         std::int64_t seed);

/// Whether the run ended well with exactly this description (stored in "<run_directory>.json").
[[nodiscard]] bool is_done(const std::string& run_directory, const std::string& description);

} // namespace triage
