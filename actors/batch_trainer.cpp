#include "actors/batch_trainer.hpp"

#include "actors/parameter_arrival.hpp"
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

/// Completes each part of the gradient and looks at it while it is in the cache, and passes on that it is
/// there.
class part_watch : public gradient_observer {
public:
  /// `added`: what is added to the gradient; empty: nothing.
  part_watch(mutable_blob& gradient, std::span<const float> added, std::size_t trained, std::uint64_t lease,
             const batch_trainer::part_sink& sink)
      : gradient_(gradient), added_(added), lease_(lease), sink_(sink), at_(trained) {}

  void final_from(std::size_t offset) override {
    if (offset < at_ && (at_ - offset >= smallest_gradient_part || offset == 0))
      pass_on(offset);
  }
  /// The whole gradient is there.
  [[nodiscard]] bool finish() {
    if (at_ > 0)
      pass_on(0);
    return finite_;
  }

private:
  void pass_on(std::size_t offset) {
    if (!added_.empty())
      for (std::size_t i = offset; i < at_; ++i)
        gradient_.values()[i] += added_[i];
    finite_ = finite_ && all_finite(gradient_.view().subspan(offset, at_ - offset));
    if (sink_ && finite_)
      sink_({0, lease_, gradient_.early_look(), offset, at_});
    at_ = offset;
  }

  mutable_blob& gradient_;
  std::span<const float> added_;
  std::uint64_t lease_;
  const batch_trainer::part_sink& sink_;
  std::size_t at_; ///< from here on everything was looked at
  bool finite_ = true;
};

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
    : setup_(std::move(setup)),
      workspace_(setup_->net,
                 setup_->config.training_precision == "bf16" ? precision::bfloat16 : precision::float32),
      augmentations_(setup_->new_augmentations()), gradients_(setup_->net->parameters().size()),
      wanted_(static_cast<signal_set>(signal::loss) |
              (setup_->point_score ? setup_->point_score->needs() : 0U)) {
  workspace_.prepare_training(setup_->config.batch_size, wanted_);
}

void batch_trainer::warm_up() {
  const auto& set = setup_->data.train;
  const auto batch = setup_->config.batch_size;
  const auto n = static_cast<std::size_t>(batch);
  const auto input = workspace_.input(batch);
  std::fill(input.begin(), input.end(), 0.0F);
  labels_.assign(set.is_classification() ? n : 0, 0);
  values_.assign(set.is_classification() ? 0 : n * static_cast<std::size_t>(set.outputs), 0.0F);
  const mutable_blob parameters = gradients_.acquire(); // zero when new
  mutable_blob gradient = gradients_.acquire();
  rng dropout(setup_->seed(), rng_purpose::dropout, 0);
  (void)workspace_.train(parameters.view(), batch, {.labels = labels_, .values = values_}, {}, *setup_->loss,
                         wanted_, dropout, gradient.values());
}

std::span<const float> batch_trainer::weights_of(const drawn_batch& drawn) {
  if (setup_->class_weights.all_one())
    return drawn.weights;
  weights_ = drawn.weights;
  weights_.resize(drawn.ids.size(), 1.0F);
  setup_->class_weights.apply(setup_->data.train.labels, drawn.ids, weights_);
  return weights_;
}

train_result batch_trainer::train(const train_order& order, const part_sink& parts) {
  return train(order.base, *order.batches.front(), order.lease, parts);
}

train_result batch_trainer::train(const snapshot& base, const drawn_batch& drawn, std::uint64_t stream,
                                  const part_sink& parts) {
  const auto& ids = drawn.ids;
  const auto batch = static_cast<std::int64_t>(ids.size());
  const auto input = workspace_.input(batch);
  gather_samples(setup_->data.train, setup_->data.standard, ids, input);
  if (!augmentations_.empty()) {
    rng random(setup_->seed(), rng_purpose::augmentation, stream);
    for (const auto& a : augmentations_)
      a->apply(input, setup_->data.train.shape, random);
  }
  const auto targets = gather_targets(setup_->data.train, ids, labels_, values_);
  rng dropout(setup_->seed(), rng_purpose::dropout, stream);
  mutable_blob gradient = gradients_.acquire();
  const std::size_t trained = setup_->net->parameters().trained_size();
  part_watch watch(gradient, drawn.added_gradient.view(), trained, stream, parts);
  gradient_observer* observer = &watch;
  parameter_gate* gate = base.arriving.get();
  if (recorder_ != nullptr) {
    recorder_->follow(base.version, trained, observer, gate);
    observer = recorder_;
    gate = recorder_;
  }
  const auto weights = weights_of(drawn);
  const auto signals =
      workspace_.train(base.parameters.view(), batch, targets, weights, *setup_->loss, wanted_, dropout,
                       gradient.values(), drawn.direction.view(), observer, gate);
  train_result out;
  out.lease = stream;
  out.base_version = base.version;
  if (setup_->wants_losses)
    out.losses.assign(signals.loss.begin(), signals.loss.end());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto loss = static_cast<double>(signals.loss[i]);
    out.loss_sum += loss;
    out.weighted_loss += weights.empty() ? loss : loss * static_cast<double>(weights[i]);
    if (!std::isfinite(signals.loss[i]) && out.suspects.size() < 5)
      out.suspects.push_back(ids[i]);
  }
  out.correct = count_correct(workspace_, *setup_, targets, ids.size());
  out.finite = watch.finish() && std::isfinite(out.loss_sum) && all_finite(gradient.view().subspan(trained));
  if (setup_->point_score && out.finite) {
    out.scores.resize(ids.size());
    setup_->point_score->compute(signals, ids, out.scores);
    setup_->class_weights.apply(setup_->data.train.labels, ids, out.scores);
  }
  out.gradient = std::move(gradient).freeze();
  return out;
}

} // namespace triage
