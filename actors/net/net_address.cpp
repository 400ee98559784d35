#include "actors/net/net_address.hpp"

#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <fmt/format.h>

namespace triage {

result<net_address> parse_address(const std::string& text, const std::string& option) {
  const auto colon = text.rfind(':');
  net_address out;
  unsigned port = 0;
  const char* end = text.data() + text.size();
  if (colon != std::string::npos) {
    out.host = text.substr(0, colon);
    if (out.host.size() >= 2 && out.host.front() == '[' && out.host.back() == ']')
      out.host = out.host.substr(1, out.host.size() - 2);
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (parsed.ec == std::errc() && parsed.ptr == end && port < 65536 && !out.host.empty()) {
      out.port = static_cast<std::uint16_t>(port);
      return out;
    }
  }
  return configuration_error(
      fmt::format("{} {}: must have the form HOST:PORT, e.g. 127.0.0.1:7070", option, text));
}

std::string to_string(const net_address& a) {
  return a.host.find(':') == std::string::npos ? fmt::format("{}:{}", a.host, a.port)
                                               : fmt::format("[{}]:{}", a.host, a.port);
}

bool is_any_address(const net_address& a) {
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(a.host, ec);
  return !ec && address.is_unspecified();
}

} // namespace triage
