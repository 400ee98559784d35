#include "apps/bench/step.hpp"

#include "core/rng.hpp"

#include <numeric>

namespace triage {

training_step::training_step(std::shared_ptr<const run_setup> setup)
    : setup_(std::move(setup)), trainer_(setup_),
      store_(setup_->net->parameters(), *setup_->rule, setup_->config.gradient_clipping),
      ids_per_batch_(static_cast<std::size_t>(setup_->config.batch_size)) {
  store_.initialise(setup_->seed());
  std::vector<std::uint32_t> order(setup_->data.train.size);
  std::iota(order.begin(), order.end(), 0U);
  rng random(setup_->seed(), rng_purpose::sampling);
  shuffle(order, random);
  for (auto at = order.begin(); order.end() - at >= static_cast<std::ptrdiff_t>(ids_per_batch_);) {
    auto batch = std::make_shared<drawn_batch>();
    batch->ids.assign(at, at + static_cast<std::ptrdiff_t>(ids_per_batch_));
    at += static_cast<std::ptrdiff_t>(ids_per_batch_);
    batches_.push_back(std::move(batch));
  }
}

void training_step::gradient(const batch_trainer::part_sink& parts) {
  const auto& batch = batches_[next_++ % batches_.size()];
  last_.clear(); // gives the block back before another one is asked for
  auto result = trainer_.train(current(), *batch, next_, parts);
  last_.push_back({std::move(result.gradient), static_cast<double>(ids_per_batch_)});
}

void training_step::gather() {
  const auto& ids = batches_[next_++ % batches_.size()]->ids;
  const auto batch = static_cast<std::int64_t>(ids.size());
  gather_samples(setup_->data.train, setup_->data.standard, ids, trainer_.compute().input(batch));
}

void training_step::update() {
  store_.merge(last_, setup_->rule->learning_rate());
}

void training_step::run() {
  gradient();
  update();
}

} // namespace triage
