#include "actors/batch_trainer.hpp"

#include "core/finite.hpp"
#include "core/rng.hpp"

#include <algorithm>
#include <cmath>

namespace triage {

namespace {

std::uint64_t count_correct(const workspace& w, const run_setup& setup, const batch_targets& targets,
                            std::size_t n) {
  if (!setup.loss->has_accuracy())
    return 0;
  const auto width = static_cast<std::size_t>(setup.net->output_width());
  std::uint64_t correct = 0;
  for (std::size_t i = 0; i < n; ++i)
    correct += setup.loss->is_correct(w.outputs().subspan(i * width, width), targets, i) ? 1U : 0U;
  return correct;
}

} // namespace

batch_targets gather_targets(const dataset& set, std::span<const std::uint32_t> ids,
                             std::vector<std::int32_t>& labels, std::vector<float>& values) {
  if (set.is_classification()) {
    labels.resize(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i)
      labels[i] = set.labels[ids[i]];
    return {.labels = labels, .values = {}};
  }
  const auto width = static_cast<std::size_t>(set.outputs);
  values.resize(ids.size() * width);
  for (std::size_t i = 0; i < ids.size(); ++i)
    std::copy_n(set.targets.begin() + static_cast<std::ptrdiff_t>(ids[i] * width), width,
                values.begin() + static_cast<std::ptrdiff_t>(i * width));
  return {.labels = {}, .values = values};
}

batch_trainer::batch_trainer(std::shared_ptr<const run_setup> setup)
    : setup_(std::move(setup)), workspace_(setup_->net), augmentations_(setup_->new_augmentations()),
      gradients_(setup_->net->parameters().size()),
      wanted_(static_cast<signal_set>(signal::loss) |
              (setup_->point_score ? setup_->point_score->needs() : 0U)) {
  workspace_.prepare_training(setup_->config.batch_size, wanted_);
}

train_result batch_trainer::train(const train_order& order) {
  const auto& ids = order.batch->ids;
  const auto batch = static_cast<std::int64_t>(ids.size());
  const auto input = workspace_.input(batch);
  gather_samples(setup_->data.train, setup_->data.standard, ids, input);
  if (!augmentations_.empty()) {
    rng random(setup_->seed(), rng_purpose::augmentation, order.lease);
    for (const auto& a : augmentations_)
      a->apply(input, setup_->data.train.shape, random);
  }
  const auto targets = gather_targets(setup_->data.train, ids, labels_, values_);
  rng dropout(setup_->seed(), rng_purpose::dropout, order.lease);
  mutable_blob gradient = gradients_.acquire();
  const auto signals =
      workspace_.train(order.base.parameters.view(), batch, targets, order.batch->weights, *setup_->loss,
                       wanted_, dropout, gradient.values(), order.batch->direction.view());
  train_result out;
  out.lease = order.lease;
  out.base_version = order.base.version;
  if (setup_->wants_losses)
    out.losses.assign(signals.loss.begin(), signals.loss.end());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out.loss_sum += static_cast<double>(signals.loss[i]);
    if (!std::isfinite(signals.loss[i]) && out.suspects.size() < 5)
      out.suspects.push_back(ids[i]);
  }
  out.correct = count_correct(workspace_, *setup_, targets, ids.size());
  out.finite = std::isfinite(out.loss_sum) && all_finite(gradient.view());
  if (setup_->point_score && out.finite) {
    out.scores.resize(ids.size());
    setup_->point_score->compute(signals, ids, out.scores);
  }
  out.gradient = std::move(gradient).freeze();
  return out;
}

} // namespace triage
