#pragma once

#include "actors/batch_trainer.hpp"
#include "actors/parameter_store.hpp"
#include "core/error_feedback.hpp"
#include "core/local_round.hpp"

#include <optional>

namespace triage {

/// A worker's part of a local_round: takes the steps of an order on parameters and moments of its own. The
/// parameters go on from order to order, pulled towards those that the order brings. Owned by one thread.
class local_trainer {
public:
  local_trainer(std::shared_ptr<const run_setup> setup, const local_round& round);

  /// May throw what batch_trainer::train throws. After a step that is not finite the rest is left out, and
  /// the next order starts from its parameters alone. `member` and `busy_seconds` are left to the caller.
  [[nodiscard]] train_result train(const train_order& order);
  /// As those of batch_trainer.
  void warm_up() { trainer_.warm_up(); }
  void record(layer_recorder* recorder) { trainer_.record(recorder); }

private:
  void begin_round(const snapshot& at);
  void set_outcome(const snapshot& base, train_result& out);

  std::shared_ptr<const run_setup> setup_;
  local_round round_;
  batch_trainer trainer_;
  parameter_store store_;
  blob_pool outcomes_;
  std::optional<error_feedback> compression_;
  bool placed_ = false; ///< there are parameters of an earlier round
};

} // namespace triage
