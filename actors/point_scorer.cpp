#include "actors/point_scorer.hpp"

#include "actors/batch_trainer.hpp"

namespace triage {

point_scorer::point_scorer(std::shared_ptr<const run_setup> setup)
    : setup_(std::move(setup)), workspace_(setup_->net) {}

std::vector<float> point_scorer::measure(const snapshot& at, std::span<const std::uint32_t> ids) {
  const auto batch = static_cast<std::int64_t>(ids.size());
  gather_samples(setup_->data.train, setup_->data.standard, ids, workspace_.input(batch));
  const auto targets = gather_targets(setup_->data.train, ids, labels_, values_);
  const auto signals =
      workspace_.measure(at.parameters.view(), batch, targets, *setup_->loss, setup_->point_score->needs());
  std::vector<float> scores(ids.size());
  setup_->point_score->compute(signals, scores);
  return scores;
}

} // namespace triage
