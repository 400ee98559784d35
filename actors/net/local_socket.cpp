#include "actors/net/local_socket.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace triage {

using boost::asio::ip::tcp;

local_protocol::endpoint local_endpoint_of(const tcp::endpoint& at) {
  // A name that begins with a zero byte is one without a file.
  std::string name(1, '\0');
  name += fmt::format("triage/{}/{}", at.address().to_string(), at.port());
  return {name};
}

std::vector<local_protocol::endpoint> local_endpoints_for(const tcp::endpoint& at) {
  std::vector<local_protocol::endpoint> out{local_endpoint_of(at)};
  if (!at.address().is_loopback())
    return out;
  if (at.address().is_v4())
    out.push_back(local_endpoint_of({boost::asio::ip::address_v4::any(), at.port()}));
  out.push_back(local_endpoint_of({boost::asio::ip::address_v6::any(), at.port()}));
  return out;
}

bool is_same_user(local_protocol::socket& socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return false;
  return peer.uid == geteuid();
}

} // namespace triage
