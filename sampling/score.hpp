#pragma once

#include "core/options.hpp"
#include "core/registry.hpp"
#include "core/signals.hpp"

#include <cstdint>
#include <memory>
#include <span>

namespace triage {

/// How much a point matters, from the signals of a pass over it. Pure, and immutable once prepared.
class score : public configurable {
public:
  /// Called once after the options were read; may read files.
  [[nodiscard]] virtual result<void> prepare(const json_place&) { return {}; }
  /// What is wrong with using it for so many points of the data with this fingerprint, if anything.
  [[nodiscard]] virtual result<void> check(std::size_t, std::string_view) const { return {}; }
  /// The signals it reads.
  [[nodiscard]] virtual signal_set needs() const = 0;
  /// Whether it is the size of a gradient, or a bound on it: only of such scores second moments of steps can
  /// be told.
  [[nodiscard]] virtual bool is_gradient_size() const { return false; }
  /// One score per sample; finite for finite signals. `ids`: which points the samples are.
  virtual void compute(const sample_signals& signals, std::span<const std::uint32_t> ids,
                       std::span<float> out) const = 0;
};

using score_factory = std::unique_ptr<score> (*)();
using score_table = registry_table<score_factory>;
/// loss; gnorm_last_bound = ||dL/dz|| (Katharopoulos & Fleuret 2018); gnorm_last = sqrt(1 + ||h||^2) *
/// ||dL/dz||, the exact gradient norm of the last dense layer with bias (Goodfellow 2015); gnorm_full, that
/// of all layers; projection = <g_i, gbar> / ||gbar|| (Zhou & Gao 2021) and projection_last, the same of the
/// last layer; rho = loss - irreducible loss (Mindermann et al. 2022).
[[nodiscard]] score_table scores();
/// From "gnorm_last" or {"type": "gnorm_last", …}; `extra` is searched beside the built-in table.
[[nodiscard]] result<std::unique_ptr<score>> make_score(const json_value& description,
                                                        const json_place& place, score_table extra = {});

} // namespace triage
