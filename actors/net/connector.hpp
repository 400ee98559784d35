#pragma once

#include "actors/net/byte_stream.hpp"
#include "actors/net/net_address.hpp"

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

namespace triage {

/// Connects to a coordinator, within this machine where it is here (local_socket.hpp) and else by TCP, and
/// proves who both sides are, within a time limit; `done` is called once, on
/// the context's thread. The error says which step failed, and why.
void async_connect(boost::asio::io_context& context, const net_address& to,
                   const std::shared_ptr<boost::asio::ssl::context>& tls, double seconds,
                   std::function<void(result<std::unique_ptr<byte_stream>>)> done);

} // namespace triage
