#pragma once

#include "nn/parameters.hpp"

#include <string>

namespace triage {

/// SHA-256, hex, over names, shapes, places and packing of all tensors: blocks of equal fingerprints mean the
/// same float by float. Machines with different vector units may pack weights differently.
[[nodiscard]] std::string layout_fingerprint(const parameter_layout& layout);

} // namespace triage
