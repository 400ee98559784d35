#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"
#include "core/rng.hpp"
#include "core/saved_state.hpp"
#include "sampling/priority_table.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace triage {

/// A batch to train on: points, and the factor on each point's loss. The training step is the gradient of
/// mean_i(weights_i * loss_i); the weights carry importance correction and step scale, decided when drawn and
/// never recomputed from newer scores.
struct drawn_batch {
  std::vector<std::uint32_t> ids;
  std::vector<float> weights;
};

/// Where the run stands when a batch is drawn.
struct sampling_progress {
  double epochs = 0.0;   ///< samples drawn so far / points
  double fraction = 0.0; ///< of the whole run, 0 to 1
};

/// Figures of the present plan, for metrics; absent where a selector has no such notion.
struct selector_figures {
  std::optional<double> kappa;          ///< share of the points that the plan keeps
  std::optional<double> predicted_gain; ///< ratio of second moments, uniform / this plan (ALGORITHMS 1.9)
  std::string phase;                    ///< "warm-up", "prioritized", "uniform tail"
};

/// Chooses which points to train on. Owns its plan and position; borrows the priorities and the random
/// stream at each draw. Owned by one thread.
class selector : public configurable {
public:
  /// Called once after the options were read: builds the parts that options name.
  [[nodiscard]] virtual result<void> prepare(const json_place&) { return {}; }
  /// Called once, before the first draw and before load.
  virtual void start(std::size_t points) = 0;
  /// Fills `out` with up to `count` points; fewer only where an epoch or a plan block ends, never none.
  virtual void draw(std::size_t count, const priority_table& priorities, const sampling_progress& progress,
                    rng& random, drawn_batch& out) = 0;
  /// A priority has changed (selectors that keep a search structure follow it; others ignore it).
  virtual void priority_changed(std::uint32_t, float) {}
  /// A call of priority_changed for this point is near: a chance to fetch the memory.
  virtual void priority_will_change(std::uint32_t) const {}
  /// Whether it asks when points were trained.
  [[nodiscard]] virtual bool uses_ages() const { return false; }
  /// Whether it looks at priorities at all; when not, nobody needs to compute any.
  [[nodiscard]] virtual bool uses_priorities() const = 0;
  /// Whether the expectation of the weighted batch mean is the full mean, up to the declared step scale.
  [[nodiscard]] virtual bool unbiased() const = 0;
  [[nodiscard]] virtual selector_figures figures() const = 0;
  [[nodiscard]] virtual saved_state save() const = 0;
  [[nodiscard]] virtual result<void> load(const saved_state& state) = 0;
};

using selector_factory = std::unique_ptr<selector> (*)();
/// uniform (reshuffled epochs), multinomial (p ~ priority^alpha, with replacement), pps_epoch.
[[nodiscard]] registry_table<selector_factory> selectors();

} // namespace triage
