#pragma once

#include "actors/batch_trainer.hpp"
#include "actors/parameter_store.hpp"
#include "actors/run_setup.hpp"

#include <memory>

namespace triage {

/// Whole training steps on the calling thread, without actors: gather, forward, loss, backward, update.
class training_step {
public:
  explicit training_step(std::shared_ptr<const run_setup> setup);

  /// One step on the next batch of a fixed random order.
  void run();
  /// The gradient only; `parts` as for batch_trainer::train.
  void gradient(const batch_trainer::part_sink& parts = nullptr);
  /// The part of it that copies the samples together and turns bytes into standardised floats.
  void gather();
  /// The update only, with the gradient of the last `gradient`.
  void update();
  [[nodiscard]] std::size_t batch_size() const { return ids_per_batch_; }
  [[nodiscard]] snapshot current() const { return {store_.version(), store_.current()}; }
  [[nodiscard]] workspace& compute() { return trainer_.compute(); }

private:
  std::shared_ptr<const run_setup> setup_;
  batch_trainer trainer_;
  parameter_store store_;
  std::vector<shared_batch> batches_;
  std::size_t next_ = 0;
  std::size_t ids_per_batch_;
  std::vector<contribution> last_;
};

} // namespace triage
