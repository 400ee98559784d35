#pragma once

#include <string>
#include <vector>

namespace triage {

/// The whole program: `arguments` begin with its name. Returns the exit code; help and results go to stdout,
/// everything else to stderr.
[[nodiscard]] int run_program(const std::vector<std::string>& arguments);

} // namespace triage
