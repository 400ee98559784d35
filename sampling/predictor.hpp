#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"
#include "core/saved_state.hpp"

#include <cstdint>
#include <memory>

namespace triage {

/// A score and the parameter version it was measured at.
struct measurement {
  float value = 0.0F;
  std::uint64_t version = 0;
};

/// What a point's priority is now, given the measurements of the past: priorities are measured rarely, and
/// the network moves on (ALGORITHMS 1.1). One value a point is kept by the priority table; a predictor keeps
/// whatever else it needs. Owned by one thread.
class predictor : public configurable {
public:
  virtual void start(std::size_t points) = 0;
  /// A new measurement of a point; `before` is the remembered value, null for the first. Returns the value to
  /// remember. Both are finite.
  virtual float measured(std::uint32_t id, const measurement* before, const measurement& now) = 0;
  /// The expected value at version `now`; finite.
  [[nodiscard]] virtual float predict(std::uint32_t, const measurement& last, std::uint64_t) const {
    return last.value;
  }
  /// Whether predict differs from the remembered value.
  [[nodiscard]] virtual bool extrapolates() const { return false; }
  [[nodiscard]] virtual saved_state save() const = 0;
  [[nodiscard]] virtual result<void> load(const saved_state& state) = 0;
};

using predictor_factory = std::unique_ptr<predictor> (*)();
/// keep, exp_linear, exp_quadratic, ema. `keep` is a null pointer: the table's own behaviour.
[[nodiscard]] registry_table<predictor_factory> predictors();
[[nodiscard]] result<std::unique_ptr<predictor>> make_predictor(const json_value& description,
                                                                const json_place& place);

} // namespace triage
