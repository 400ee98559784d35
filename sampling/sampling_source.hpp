#pragma once

#include "sampling/score.hpp"
#include "sampling/selector.hpp"

#include <memory>
#include <span>

namespace triage {

/// Figures of the sampler for progress lines and metrics.
struct sampling_figures {
  bool prioritized = false;
  staleness_summary staleness;
  double effective_sample_share = 1.0;
  std::uint64_t rejected_scores = 0;
  selector_figures selector;
};

/// The options that every kind of sampling has, beside those of its selector.
struct sampling_options {
  json_value score = json_value("gnorm_last");
  std::string estimator = "oldest_first";
  double refresh_after_epochs = 1.0;
  double floor = 1e-6;
  void visit(option_visitor& v);
};

/// The "sampling" object of a run description, read and built.
struct sampling_description {
  sampling_options options;
  std::unique_ptr<triage::score> score; ///< null when the selector does not look at priorities
  std::unique_ptr<triage::selector> selector;
  bool refresh = false; ///< whether estimators have anything to do
  json_value resolved;  ///< with every default filled in
};
/// Reads {"type": SELECTOR, "score": …, "estimator": …, …selector options}; `extra` holds scores beside the
/// built-in ones.
[[nodiscard]] result<sampling_description> make_sampling(const json_value& description,
                                                         const json_place& place, score_table extra = {});

/// One shard's sampler: priorities, selector, refresh order and random stream behind one plain class; the
/// sampler actor only forwards to it. Owned by one thread.
class sampling_source {
public:
  sampling_source(sampling_description description, std::size_t points, std::uint64_t seed);

  /// The next batch; `run_fraction` is how far the run is, 0 to 1.
  void draw(std::size_t count, double run_fraction, drawn_batch& out);
  /// Measurements at one parameter version.
  void record(std::span<const std::uint32_t> ids, std::span<const float> scores, std::uint64_t version);
  /// Up to `count` points whose priority is older than refresh_after_epochs (or unknown), each handed out
  /// once per sweep; empty when all are fresh enough. Amortised constant time per point.
  void next_refresh(std::size_t count, std::uint64_t version, double versions_per_epoch,
                    std::vector<std::uint32_t>& out);

  [[nodiscard]] sampling_figures figures(std::uint64_t version) const;
  [[nodiscard]] const priority_table& priorities() const { return priorities_; }
  [[nodiscard]] std::uint64_t samples_drawn() const { return samples_drawn_; }

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  sampling_description description_;
  priority_table priorities_;
  rng random_;
  std::uint64_t samples_drawn_ = 0;

  // The present sweep of refreshes: not saved, a new one starts after a load.
  std::vector<std::uint32_t> due_;
  std::size_t next_due_ = 0;
  std::uint64_t next_sweep_ = 0; ///< no sweep before this version
};

} // namespace triage
