#pragma once

#include "core/options.hpp"
#include "core/saved_state.hpp"

#include <optional>
#include <string>

namespace triage {

/// What speaks for and against prioritising at this moment.
struct gate_evidence {
  double epochs = 0.0;
  std::optional<double> gain;  ///< ratio of second moments of a step, uniform / prioritised
  std::optional<double> speed; ///< samples/s while prioritising / while not; absent where not known
  /// The same ratio as `gain`, as it was found since the last look on the points that were chosen.
  std::optional<double> found = {};
};

/// Decides whether prioritization pays: on where gain * speed is at least `gain_min`, off again below
/// `gain_min - hysteresis`. The gain is what the present scores promise, times the share of earlier promises
/// that was found when the points chosen by them were trained: scores grow old, and the largest are not
/// believed. All are averaged before they are compared. Says why each time it changes its mind. Plain; owned
/// by one thread.
class gate {
public:
  void visit(option_visitor& v);

  /// As if the description had said {"mode": "off"}.
  void disable() { mode_ = "off"; }
  [[nodiscard]] bool enabled() const { return mode_ != "off"; }
  /// Whether measured speed counts; else decisions depend on the scores alone and are reproducible.
  [[nodiscard]] bool uses_speed() const { return mode_ == "measured"; }
  [[nodiscard]] bool open() const { return !enabled() || open_; }
  /// When the next look is due.
  [[nodiscard]] bool due(double epochs) const { return enabled() && epochs >= next_look_; }
  void look(const gate_evidence& evidence);
  /// The averaged gain times speed that the last decision was made on; absent before the first.
  [[nodiscard]] std::optional<double> worth() const { return worth_; }
  /// Why it changed its mind since the last call; mostly empty.
  [[nodiscard]] std::string take_reason();

  [[nodiscard]] saved_state save() const;
  [[nodiscard]] result<void> load(const saved_state& state);

private:
  std::string mode_ = "gain";
  double gain_min_ = 1.2;
  double hysteresis_ = 0.1;
  double smoothing_ = 0.5;
  double looks_per_epoch_ = 8.0;

  bool open_ = false;
  double next_look_ = 0.0;
  std::optional<double> promised_;
  std::optional<double> kept_; ///< share of what was promised
  std::optional<double> speed_;
  std::optional<double> worth_;
  std::string reason_;
};

} // namespace triage
