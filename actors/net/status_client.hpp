#pragma once

#include "actors/net/net_address.hpp"

#include <string>

namespace triage {

/// Asks a coordinator where its run stands; the answer is JSON. Blocks for a few seconds at most. The error
/// is of kind `retry` where nobody answers.
[[nodiscard]] result<std::string> ask_status(const net_address& coordinator,
                                             const std::string& tls_directory);

} // namespace triage
