#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <vector>

namespace triage {

/// Connections within a machine: beside its TCP port a listener opens a socket of the Unix domain, on which
/// the same bytes cost about half of what TCP over the loopback costs both ends. The socket's name is made of
/// the TCP address and lies in Linux's abstract namespace: nothing to clean up, and seen only where that TCP
/// address is seen, since both belong to the network namespace.
using local_protocol = boost::asio::local::stream_protocol;

/// The name beside a bound TCP address.
[[nodiscard]] local_protocol::endpoint local_endpoint_of(const boost::asio::ip::tcp::endpoint& at);

/// Where a listener at this address can be reached without leaving the machine, the likeliest first: under
/// its own name, and for a loopback address under that of all addresses.
[[nodiscard]] std::vector<local_protocol::endpoint>
local_endpoints_for(const boost::asio::ip::tcp::endpoint& at);

/// Whether the other end belongs to this process's user. Names can be taken by anybody on the machine, so
/// others have to come by TCP, like strangers do. The same for both ends: who is refused here would not look
/// there.
[[nodiscard]] bool is_same_user(local_protocol::socket& socket);

} // namespace triage
