#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace triage {

/// A machine on which `triage launch` starts a node.
struct launch_host {
  std::string host;                     ///< as ssh takes it: [user@]name
  std::optional<std::uint32_t> threads; ///< default: all cores there
  std::string data;                     ///< empty: as in the description
  std::string tls;                      ///< directory with credentials there; empty: none
  std::string program = "triage";
  std::string role = "auto";
};

/// One host a line: `[user@]name key=value …`; `#` begins a comment. Errors name file and line.
[[nodiscard]] result<std::vector<launch_host>> parse_hosts(std::string_view text, const std::string& source);

/// The arguments of ssh.
[[nodiscard]] std::vector<std::string> ssh_arguments(const launch_host& host, const std::string& join,
                                                     bool insecure);

} // namespace triage
