#include "actors/model_evaluator.hpp"

#include "actors/batch_trainer.hpp"
#include "nn/pass_size.hpp"

#include <algorithm>

namespace triage {

model_evaluator::model_evaluator(std::shared_ptr<const run_setup> setup)
    : setup_(std::move(setup)), workspace_(setup_->net),
      chunk_size_(inference_pass_size(*setup_->net, sizeof(float))) {}

set_figures model_evaluator::measure(std::span<const float> parameters, const dataset& set,
                                     std::span<const std::uint32_t> ids) {
  const std::size_t total = ids.empty() ? set.size : ids.size();
  const auto width = static_cast<std::size_t>(setup_->net->output_width());
  double loss = 0.0;
  std::uint64_t correct = 0;
  const bool judged = setup_->loss->has_accuracy();
  set_figures out;
  out.classes.resize(judged ? static_cast<std::size_t>(set.classes) : 0);
  for (std::size_t begin = 0; begin < total; begin += chunk_size_) {
    chunk_.clear();
    for (std::size_t i = begin; i < std::min(begin + chunk_size_, total); ++i)
      chunk_.push_back(ids.empty() ? static_cast<std::uint32_t>(i) : ids[i]);
    const auto batch = static_cast<std::int64_t>(chunk_.size());
    gather_samples(set, setup_->data.standard, chunk_, workspace_.input(batch));
    const auto targets = gather_targets(set, chunk_, labels_, values_);
    const auto signals =
        workspace_.measure(parameters, batch, targets, *setup_->loss, static_cast<signal_set>(signal::loss));
    for (std::size_t i = 0; i < chunk_.size(); ++i) {
      loss += static_cast<double>(signals.loss[i]);
      if (!judged)
        continue;
      const bool good = setup_->loss->is_correct(workspace_.outputs().subspan(i * width, width), targets, i);
      correct += good ? 1U : 0U;
      if (!out.classes.empty()) {
        auto& c = out.classes[static_cast<std::size_t>(targets.labels[i])];
        ++c.points;
        c.correct += good ? 1U : 0U;
      }
    }
  }
  out.loss = total == 0 ? 0.0 : loss / static_cast<double>(total);
  if (judged)
    out.accuracy = total == 0 ? 0.0 : static_cast<double>(correct) / static_cast<double>(total);
  double sum = 0.0;
  double present = 0.0;
  for (const auto& c : out.classes) {
    sum += c.points > 0 ? c.recall() : 0.0;
    present += c.points > 0 ? 1.0 : 0.0;
  }
  if (present > 0.0)
    out.balanced_accuracy = sum / present;
  return out;
}

evaluation_figures model_evaluator::evaluate(std::span<const float> parameters) {
  evaluation_figures out;
  const auto probe = measure(parameters, setup_->data.train, setup_->probe);
  out.train_loss = probe.loss;
  out.train_accuracy = probe.accuracy;
  if (setup_->data.test.size > 0) {
    const auto test = measure(parameters, setup_->data.test, {});
    out.test_loss = test.loss;
    out.test_accuracy = test.accuracy;
    out.test_balanced_accuracy = test.balanced_accuracy;
    out.test_classes = test.classes;
  }
  if (setup_->data.validation.size > 0) {
    const auto validation = measure(parameters, setup_->data.validation, {});
    out.validation_loss = validation.loss;
    out.validation_accuracy = validation.accuracy;
    out.validation_balanced_accuracy = validation.balanced_accuracy;
  }
  workspace_.give_back_memory();
  return out;
}

} // namespace triage
