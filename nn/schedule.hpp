#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"

#include <memory>
#include <optional>

namespace triage {

/// How far a run is. Epochs are samples paid for in gradient work divided by the training set's size;
/// seconds are training seconds, without evaluation and checkpoints.
struct training_progress {
  double epochs = 0.0;
  double seconds = 0.0;
  std::optional<double> total_epochs;
  std::optional<double> total_seconds;

  /// 0 at the start, 1 at the end and after it: the larger of the two fractions that are known; 0 when
  /// neither is.
  [[nodiscard]] double fraction() const;
};

/// A factor on the base learning rate as a function of progress. Pure.
///
/// Every schedule is a shape times a linear warm-up from 0 to 1, in epochs, in training seconds, or both (the
/// slower one counts). Shapes that end with the run follow `fraction()`, so they reach their end at whichever
/// budget is used up first, and stay at their start in a run without one.
class schedule : public configurable {
public:
  /// Warm-up times shape: in [0, 1].
  [[nodiscard]] double factor(const training_progress& progress) const;
  /// The options of the warm-up and those of the shape.
  void visit(option_visitor& v) final;
  /// Why these options do not go together, or success; `make_schedule` asks.
  [[nodiscard]] virtual result<void> check() const { return {}; }

protected:
  [[nodiscard]] virtual double shape(const training_progress& progress) const = 0;
  virtual void visit_shape(option_visitor&) {}

private:
  double warmup_epochs_ = 0.0;
  double warmup_seconds_ = 0.0;
};

using schedule_factory = std::unique_ptr<schedule> (*)();
/// constant, step, exponential, cosine, one_cycle. Each takes warmup_epochs and warmup_seconds (linear).
[[nodiscard]] registry_table<schedule_factory> schedules();
[[nodiscard]] result<std::unique_ptr<schedule>> make_schedule(const json_value& description,
                                                              const json_place& place);

} // namespace triage
