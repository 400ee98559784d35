#pragma once

#include <cstddef>

// Sizes of the exchange between coordinator and workers that both the runtime and its forecast must know.

namespace triage {

/// Results merged in one pass over the parameters where each is merged alone. Their members get their next
/// orders together, so more would keep the first ones waiting.
inline constexpr std::size_t most_merged_in_turn = 4;

/// Of a part of the parameters on its way to a node: long enough for its frame to cost nothing, short enough
/// to leave before the next is merged.
inline constexpr std::size_t parameter_part_floats = 65536;

} // namespace triage
