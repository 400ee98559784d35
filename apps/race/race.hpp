#pragma once

#include "apps/race/outcome.hpp"

#include <optional>
#include <stop_token>

namespace triage {

/// Refuses a race that this machine or the data cannot carry out: too few cores, descriptions that do not
/// fit.
[[nodiscard]] result<void> check_race(const race_spec& spec, const std::string& directory);

/// Tunes, races and analyses; what an earlier, interrupted call has finished in `directory` is not done
/// again. Nothing when a stop was requested. Only one race at a time works in a directory.
[[nodiscard]] result<std::optional<race_outcome>>
conduct_race(const race_spec& spec, const std::string& directory, const std::stop_token& stop);

} // namespace triage
