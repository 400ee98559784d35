#include "apps/bench/whole_run.hpp"

#include "actors/train.hpp"

#include <stdexcept>

namespace triage {

double run_rate(const std::shared_ptr<const run_setup>& setup) {
  const auto outcome = train(setup);
  if (!outcome.ok())
    throw std::runtime_error(outcome.error().message);
  if (outcome->summary.status != run_status::finished)
    throw std::runtime_error(outcome->summary.problem);
  return outcome->summary.samples_per_second;
}

} // namespace triage
