#pragma once

#include "core/rng.hpp"

#include <string>
#include <vector>

namespace triage::test {

/// How much is injected: TRIAGE_FAULT_POINTS random points of each fault (default 1), from the seed
/// TRIAGE_FAULT_SEED, churn for TRIAGE_FAULT_CHURN_MINUTES.
struct fault_plan {
  std::size_t points = 1;
  std::uint64_t seed = 2026;
  double churn_minutes = 0.25;
  [[nodiscard]] bool is_long() const { return points > 1; }
};
[[nodiscard]] const fault_plan& the_plan();

/// What a fault's points have shown so far; printed as one line when it goes out of scope.
class fault_tally {
public:
  explicit fault_tally(std::string fault) : fault_(std::move(fault)) {}
  fault_tally(const fault_tally&) = delete;
  fault_tally& operator=(const fault_tally&) = delete;
  ~fault_tally();

  /// The random numbers of a point: they depend on the seed, the fault and the point, and on nothing else.
  [[nodiscard]] rng begin_point(std::size_t point);
  /// Tells what the point is.
  void say(const std::string& text) const;

  std::vector<double> detected; ///< seconds until the log named the lost member
  std::vector<double> rejoined; ///< seconds from the end of the fault until everybody was back
  std::vector<double> accuracy; ///< difference to the undisturbed run, in points
  std::size_t hangs = 0;
  std::size_t lost = 0;    ///< visits of points that are missing
  std::size_t doubled = 0; ///< visits too many

private:
  std::string fault_;
  std::size_t points_ = 0;
};

[[nodiscard]] double median_of(std::vector<double> values);

} // namespace triage::test
