#pragma once

#include "core/result.hpp"

#include <cstdint>
#include <string>

namespace triage {

/// "127.0.0.1:7070", "[::1]:0", "host:7070".
struct net_address {
  std::string host;
  std::uint16_t port = 0;
};
[[nodiscard]] result<net_address> parse_address(const std::string& text, const std::string& option);
[[nodiscard]] std::string to_string(const net_address& a);
/// 0.0.0.0 or [::]: all addresses of this machine, where one listens, and none, where one connects.
[[nodiscard]] bool is_any_address(const net_address& a);

} // namespace triage
