#pragma once

#include "core/blob.hpp"

#include <cstddef>
#include <cstdint>

namespace triage {

/// What the next merge will make of the end of the parameters, if its gradients come as foreseen: known while
/// their beginning is still being computed. Elements [begin, end) are final.
struct parameters_ahead {
  std::uint64_t version = 0;
  blob parameters; ///< an early look at the block that the merge will fill
  std::size_t begin = 0;
  std::size_t end = 0;
};

} // namespace triage
