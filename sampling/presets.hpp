#pragma once

#include "core/json.hpp"

#include <span>
#include <string_view>

namespace triage {

/// A published method, or our own choice, as a combination of named parts.
struct sampling_preset {
  std::string_view name;
  std::string_view summary;
  std::string_view description; ///< JSON: a "sampling" object
};
/// auto, random_subset, zhou_gao, zhou_gao_aggressive, alain, katharopoulos, selective_backprop,
/// stale_selective_backprop, loshchilov, rho_loss, infobatch, schaul, pps. What a run description says beside
/// the name overrides the preset's options.
[[nodiscard]] std::span<const sampling_preset> sampling_presets();

/// The description with a preset's name written out; others are returned as they are.
[[nodiscard]] json_value expand_preset(const json_value& description);

} // namespace triage
