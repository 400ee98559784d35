#pragma once

#include "actors/run_setup.hpp"
#include "sampling/point_ledger.hpp"

#include <optional>
#include <string>
#include <vector>

namespace triage {

/// A point whose label is doubted.
struct suspect {
  std::uint32_t id = 0;
  double doubt = 0.0;       ///< what the ranking is by
  std::int32_t opinion = 0; ///< the class that the model gives it now
  double probability = 0.0; ///< that the model gives to that class
};

/// What a run's ledger comes to.
struct ledger_account {
  std::vector<double> doubt; ///< of each point; see doubts_of
  /// Trained, and the loss always above loss_function::loss_at_one_half; classification only.
  std::vector<std::uint32_t> never_learned;
  std::vector<std::uint32_t> never_trained;
  std::vector<suspect> suspects; ///< the most doubtful first
};

/// How likely each label is wrong, as a rank only: the mean loss over all visits beyond what is usual for the
/// class. Labels that contradict the rest of the data keep a high mean even when they are memorised in the
/// end (Pleiss et al., NeurIPS 2020; Swayamdipta et al., EMNLP 2020); hard classes as a whole are not
/// accused. Points that were never trained have no doubt.
[[nodiscard]] std::vector<double> doubts_of(const point_ledger& ledger, const dataset& train);

/// The account, with the opinion of the model `parameters` on the first `count` suspects.
[[nodiscard]] ledger_account make_account(const run_setup& setup, const point_ledger& ledger,
                                          std::span<const float> parameters, std::size_t count);

/// The ledger of a checkpoint's state; an error when the run kept none.
[[nodiscard]] result<point_ledger> read_ledger(const saved_state& state, std::size_t points);

} // namespace triage
